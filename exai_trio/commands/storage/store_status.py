"""How the store fares, and what is wrong with it: here, at Supabase, and as the daemon tells it."""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final

import trio

from exai_trio.commands.checking.daemon_status import health
from exai_trio.commands.storage.asked import Asked, Told, open_store, open_supabase
from exai_trio.errors import ExaiError, NotFoundError, StorageError
from exai_trio.storage.hosted.outbox_entries import Depth, Entry
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.system.clock import unix_now
from exai_trio.transport.websocket import PeerGone, Unreachable

_ASK_S: Final = 3.0
_MOST_NAMED: Final = 20  # entries that were refused
_WORDS: Final = {"None": "none", "False": "no", "True": "yes"}


async def status(asked: Asked) -> Told:
    """Versions, the outbox, and what the daemon tells. Raises StorageError. Cancelling changes nothing."""
    depth, parked = await _outbox(asked)
    daemon = await _daemon(asked)
    data: dict[str, Any] = {
        "backend": asked.config.storage_backend,
        "outbox": {
            "entries": depth.entries,
            "bytes": depth.size,
            "oldest_s": 0.0 if depth.oldest_at is None else round(unix_now() - depth.oldest_at, 1),
            "parked": depth.parked,
        },
        "parked": [{"id": one.id, "kind": one.kind, "code": one.refused} for one in parked],
        "daemon": daemon,
    }
    if asked.config.is_hosted:
        data["supabase"] = await _there(asked)
    return Told(data=data, lines=_lines(data))


async def _outbox(asked: Asked) -> tuple[Depth, tuple[Entry, ...]]:
    try:
        async with open_store(asked) as store:
            outbox = SqliteOutbox(store)
            return await outbox.depth(), (await outbox.parked())[:_MOST_NAMED]
    except NotFoundError:  # nothing is stored yet
        return Depth(), ()


async def _daemon(asked: Asked) -> dict[str, Any] | None:
    """What the daemon says of its store; None if none answers."""
    answered: dict[str, Any] | None = None
    try:
        with trio.move_on_after(_ASK_S):
            answered = dict((await health(asked.config)).health.get("storage", {}))
    except (ExaiError, PeerGone, Unreachable) as fault:
        return {"fault": str(fault)}
    return answered


async def _there(asked: Asked) -> dict[str, Any]:
    async with open_supabase(asked) as remote:
        try:
            found = await remote.state()
        except StorageError as fault:
            return {"fault": str(fault)}
        return {"schema": found.version, "clock_ahead_s": round(remote.ahead_s, 1)}


async def hosted_faults(asked: Asked) -> tuple[str, ...]:
    """What is not as it should be at Supabase. Raises StorageError. Cancelling changes nothing."""
    async with open_supabase(asked) as remote:
        buckets: tuple[str, ...] = await import_module("exai_trio.storage.supabase.buckets").faults(
            remote.requests
        )
    url = asked.config.supabase_db_url
    if not url:
        return (await _version_fault(asked)) + buckets
    return (*await database_faults(url), *buckets)


async def database_faults(url: str, *, plain: bool = False) -> tuple[str, ...]:
    """What is not as the migrations have left it; `plain`: without what only Supabase has. Raises StorageError. Cancelling changes
    nothing."""
    steps = import_module("exai_trio.storage.supabase.migrations").migrations()
    faults = import_module("exai_trio.storage.supabase.migrate").faults
    found: tuple[str, ...] = await trio.to_thread.run_sync(partial(faults, url, steps, plain=plain))
    return found


async def _version_fault(asked: Asked) -> tuple[str, ...]:
    """Without SUPABASE_DB_URL only the version can be looked at."""
    told = await _there(asked)
    return (str(told["fault"]),) if "fault" in told else ()


def _lines(data: Mapping[str, Any]) -> tuple[str, ...]:
    outbox, there = data["outbox"], data.get("supabase")
    lines = [
        f"backend  {data['backend']}",
        f"outbox   {outbox['entries']} entries, {outbox['bytes']} bytes, {outbox['parked']} refused",
        f"oldest   {outbox['oldest_s']:g} s",
        *(f"         {one['id']} ({one['kind']}): {one['code']}" for one in data["parked"]),
    ]
    if there:
        lines.append(f"supabase {there.get('fault') or 'schema ' + str(there['schema'])}")
    told: dict[str, Any] = data["daemon"] or {}
    lines += [
        f"daemon   {name.replace('_', ' ')}: {_WORDS.get(repr(value), value)}"
        for name, value in told.items()
        if name != "outbox"
    ]
    return tuple(lines)
