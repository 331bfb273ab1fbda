"""`exai simulate`: the provider simulator as a process. Says where it is in one line of JSON, for whoever started it."""

import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.started import Started
from exai_trio.simulator.app import serve

_CHUNK = 4096


def main(started: Started) -> int:
    arguments = started.arguments
    log = None if arguments.request_log is None else Path(arguments.request_log)
    server = partial(serve, arguments.simulator_host, arguments.simulator_port, request_log=log)
    trio.run(partial(run, server, Console.of_process(), until_eof=arguments.until_eof))
    return 0


async def run(
    server: Callable[..., Awaitable[object]], console: Console, *, until_eof: bool
) -> None:
    """Serve until a signal comes, or until stdin ends if that is wished: so a child ends with its parent."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as serving:
            origin = await serving.start(server)
            if until_eof:
                serving.start_soon(_until_eof, serving.cancel_scope)
            console.say(json.dumps({"simulator": origin}))
            async for _ in signals:
                break
            serving.cancel_scope.cancel(reason="a signal")


async def _until_eof(serving: trio.CancelScope) -> None:
    while await trio.to_thread.run_sync(_read, abandon_on_cancel=True):
        pass
    serving.cancel(reason="stdin has ended")


def _read() -> bytes:
    return os.read(sys.stdin.fileno(), _CHUNK)
