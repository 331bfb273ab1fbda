"""`exai status --daemons`: the daemons of one PostgreSQL, as their leases stand there; none of them is asked."""

from collections.abc import Iterator

import attrs

from exai_trio.commands.console import Console, columns
from exai_trio.config import Config
from exai_trio.storage.shared.shared_calls import KnownDaemon
from exai_trio.system.clock import unix_now

_HEAD = ("daemon", "state", "lease", "calls", "sessions", "version", "address")


async def run(config: Config, console: Console, *, as_json: bool) -> int:
    """The exit code: 1 if none of several lives. Raises StorageError. Cancelling closes the connection."""
    from exai_trio.storage.postgres.database import open_database  # only where it is asked
    from exai_trio.storage.postgres.shared_calls_store import known_daemons

    if not config.is_shared:
        console.note(
            f"exai: STORAGE_BACKEND is {config.storage_backend}: only with postgres are there several daemons"
        )
        if as_json:
            console.say("[]")
        return 0
    async with open_database(config.database_url, unix_now) as database:
        found = await known_daemons(database)
    if as_json:
        console.say_json([attrs.asdict(one) for one in found])
    else:
        console.say(columns([_HEAD, *map(_row, found)], console.width))
    return 0 if any(one.lease_s > 0 for one in found) else 1


def _row(one: KnownDaemon) -> tuple[str, ...]:
    return tuple(_cells(one))


def _cells(one: KnownDaemon) -> Iterator[str]:
    yield one.facts.name
    yield state_of(one)
    yield f"{one.lease_s:.1f} s" if one.lease_s > 0 else f"ended {-one.lease_s:.0f} s ago"
    yield str(one.running)
    yield str(one.owned)
    yield one.facts.version
    yield one.facts.address


def state_of(one: KnownDaemon) -> str:
    if one.lease_s <= 0:
        return "gone"
    return "draining" if one.draining else "serves"
