"""`exai bus`: the large results that are kept here and, where a store is shared, by other machines: listed and read from a shell."""

import os
import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import trio

from exai_trio.bus.payload_files import read_all
from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.watching.open_home import kept_in
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError, StorageError
from exai_trio.observability.times import rfc3339
from exai_trio.storage.contracts.stored_payloads import KEPT, StoredPayload
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.system.clock import unix_now


def main(started: Started) -> int:
    config, asked = started.loaded.config, started.arguments
    kept = trio.run(of_everybody, config)
    console = Console.of_process(started.environ)
    if asked.action == "list":
        tell(kept, console, as_json=asked.json, elsewhere=_elsewhere(config, kept, console))
        return 0
    return give(config, wanted_of(config, kept, asked.transaction), asked, sys.stdout.buffer)


def wanted_of(config: Config, kept: tuple[StoredPayload, ...], wanted: str) -> StoredPayload:
    """The one that is meant; one that another machine has stored is fetched. Raises ExaiError."""
    if not config.is_hosted or any(row.transaction_id.startswith(wanted) for row in kept):
        return the_one(kept, wanted)
    from exai_trio.commands.storage.results_elsewhere import (  # only where it is asked
        fetched,
        listed,
    )

    meant = the_one(trio.run(listed, config), wanted)
    return trio.run(fetched, config, meant.transaction_id)


def _elsewhere(
    config: Config, kept: tuple[StoredPayload, ...], console: Console
) -> tuple[StoredPayload, ...]:
    """Those of the owner that are not here, as far as Supabase says."""
    if not config.is_hosted:
        return ()
    from exai_trio.commands.storage.results_elsewhere import listed  # only where it is asked

    here = {row.transaction_id for row in kept}
    try:
        return tuple(row for row in trio.run(listed, config) if row.transaction_id not in here)
    except StorageError as fault:
        console.note(f"exai: of other machines: {fault.message}")
        return ()


async def of_everybody(config: Config) -> tuple[StoredPayload, ...]:
    """Of all principals, those that can be asked for. Raises ExaiError. Cancelling changes nothing."""
    rows, now = await kept_in(config, lambda store: SqlitePayloads(store).all()), unix_now()
    return tuple(row for row in rows if row.status in KEPT and row.expires_at > now)


def tell(
    kept: tuple[StoredPayload, ...],
    console: Console,
    *,
    as_json: bool,
    elsewhere: tuple[StoredPayload, ...] = (),
) -> None:
    places = [(row, "here") for row in kept] + [(row, "at Supabase") for row in elsewhere]
    if as_json:
        facts = [_facts(row, place) for row, place in places]
        console.say_json(facts)
    elif places:
        console.say(columns((_row(row, place) for row, place in places), console.width))
    else:
        console.note("exai: no large results are kept")


def _row(row: StoredPayload, place: str) -> tuple[str, ...]:
    return (
        row.transaction_id,
        row.status,
        f"{row.size_bytes:,} bytes",
        f"{row.stored_bytes:,} stored",
        row.principal,
        f"until {rfc3339(row.expires_at)[:16]}",
        place,
    )


def _facts(row: StoredPayload, place: str) -> dict[str, Any]:
    return {
        "transaction_id": row.transaction_id,
        "place": place,
        "status": row.status,
        "principal": row.principal,
        "session_id": row.session_id,
        "request_id": row.request_id,
        "size": row.size_bytes,
        "stored_size": row.stored_bytes,
        "compression": row.compression,
        "sha256": row.sha256,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
    }


def the_one(kept: tuple[StoredPayload, ...], wanted: str) -> StoredPayload:
    """Raises: NotFoundError, ArgumentError if it could be several."""
    found = [row for row in kept if row.transaction_id.startswith(wanted)]
    if not found:
        raise NotFoundError(f"no large result that is kept has the id {wanted!r}; `exai bus list`")
    if len(found) > 1:
        raise ArgumentError(f"{wanted!r} begins {len(found)} ids; give more of it")
    return found[0]


def give(config: Config, row: StoredPayload, asked: Namespace, out: BinaryIO) -> int:
    """Raises StorageError; PayloadDamagedError, when what came before has been written."""
    with ExitStack() as stack:
        try:
            if asked.output:
                out = stack.enter_context(os.fdopen(_new(Path(asked.output)), "wb"))
            for piece in read_all(config.home / "bus", row):
                out.write(piece)
            out.flush()
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise StorageError(f"{row.transaction_id} cannot be given: {fault}") from fault
    return 0


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
