"""The simulator as a process of its own: says where it serves, and ends when it is told to or when its parent is gone."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from exai_trio.system.last_signals import ending_once
from exai_trio.wire.hosts import OurNames

from .app import serve
from .local_models.local_site import serve_local
from .local_models.server_bodies import USUAL, Kind

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def main(
    host: str,
    port: int,
    *,
    until_eof: bool,
    request_log: Path | None = None,
    names: OurNames | None = None,
    local: Kind | None = None,
) -> None:
    """Print `{"simulator": origin}` once it serves, GLM and Kimi or one of the `local` model servers; return at SIGTERM or SIGINT, with `until_eof` also at the end of stdin.
    Cancelling closes the listener and every connection."""
    listens = trio.Event()
    with ending_once(listens, *_SIGNALS), trio.open_signal_receiver(*_SIGNALS) as signals:
        listens.set()
        async with trio.open_nursery() as running:
            running.start_soon(_end_at_signal, signals, running.cancel_scope)
            if until_eof:
                running.start_soon(_end_at_eof, running.cancel_scope)
            serving = partial(
                serve,
                host,
                port,
                request_log=request_log,
                names=names,
                now=_unix_now,
            )
            if local is not None:
                serving = partial(serve_local, USUAL[local], host, port)
            origin: str = await running.start(serving)
            sys.stdout.write(json.dumps({"simulator": origin}) + "\n")
            sys.stdout.flush()


def _unix_now() -> int:
    return int(datetime.now(UTC).timestamp())


async def _end_at_signal(signals: AsyncIterator[int], running: trio.CancelScope) -> None:
    async for _ in signals:
        break
    running.cancel(reason="a signal")


async def _end_at_eof(running: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(os.dup(0)) as stdin:
        async for _ in stdin:
            pass
    running.cancel(reason="end of stdin")
