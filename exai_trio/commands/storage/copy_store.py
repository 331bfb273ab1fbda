"""`exai storage copy`: the conversations of this home into the PostgreSQL of DATABASE_URL; as often as wanted, each turn is there once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from exai_trio.commands.storage.asked import Asked, Told, open_store
from exai_trio.errors import ArgumentError, StorageError
from exai_trio.storage.base import Step, Summary, Turn
from exai_trio.storage.sqlite.store import SqliteStore
from exai_trio.storage.sqlite.thread_store import SqliteThreads
from exai_trio.system.clock import unix_now

if TYPE_CHECKING:  # loaded only where PostgreSQL is asked
    from exai_trio.storage.postgres.conversation_store import PostgresConversations
    from exai_trio.storage.postgres.database import Database
    from exai_trio.storage.postgres.thread_store import PostgresThreads

Kept = TypeVar("Kept", Turn, Step)
_AT_ONCE: Final = 50  # turns in one statement


async def copy(asked: Asked) -> Told:
    """Conversations that have not expired, with their steps and names, of every principal. Raises ArgumentError, NotFoundError, StorageError.
    Cancelling leaves some of them copied: the next time the rest follows."""
    from exai_trio.storage.postgres.conversation_store import PostgresConversations
    from exai_trio.storage.postgres.database import open_database
    from exai_trio.storage.postgres.thread_store import PostgresThreads

    if not asked.config.is_shared:
        raise ArgumentError("Set STORAGE_BACKEND=postgres and DATABASE_URL: that is where to.")
    turns = conversations = 0
    unnamed: list[str] = []
    async with (
        open_store(asked) as store,
        open_database(asked.config.database_url, unix_now) as database,
    ):
        await _check_schema(database)
        there, names = PostgresConversations(database, store), PostgresThreads(database)
        for principal in await _principals(store):
            threads = SqliteThreads(store).of(principal)
            for summary in await threads.recent(unix_now()):
                turns += await _copied(store.of(principal), there.of(principal), summary)
                conversations += 1
                if not await _named(names.of(principal), summary):
                    unnamed.append(summary.name)
    data = {"conversations": conversations, "turns": turns, "names_of_others": unnamed}
    lines = [f"{conversations} conversations with {turns} turns and steps are in PostgreSQL"]
    lines += [f"another conversation is called {name!r} there: this one has no name" for name in unnamed]  # fmt: skip
    return Told(data=data, lines=(*lines, "files and open calls stay with this home"))


async def _check_schema(database: "Database") -> None:
    """Raises StorageError."""
    from exai_trio.storage.supabase.migrations import newest

    await database.look()
    if database.version != newest():
        found = database.version or 0
        raise StorageError(
            f"The schema of DATABASE_URL is {found}, and this EXAI needs {newest()}: run `exai storage migrate`."
        )


async def _principals(store: SqliteStore) -> list[str]:
    found = await store.read(
        lambda connection: connection.execute(
            "SELECT DISTINCT principal FROM conversations"
        ).fetchall()
    )
    return sorted(str(principal) for (principal,) in found)


async def _copied(here: SqliteStore, there: "PostgresConversations", summary: Summary) -> int:
    """How many turns and steps it has."""
    times = (summary.created_at, summary.expires_at)
    found = await here.load(summary.id, unix_now())
    turns = _keyed(summary.id, "turn", found.turns if found else ())
    for first in range(0, len(turns), _AT_ONCE):
        await there.append(summary.id, tuple(turns[first : first + _AT_ONCE]), *times)
    steps = _keyed(summary.id, "step", await here.steps(summary.id, unix_now()))
    for step in steps:
        await there.add_step(summary.id, step, *times)
    return len(turns) + len(steps)


async def _named(there: "PostgresThreads", summary: Summary) -> bool:
    """False if another conversation has its name."""
    return not summary.name or await there.name(summary.id, summary.name, unix_now())


def _keyed(conversation: str, kind: str, kept: Sequence[Kept]) -> list[Kept]:
    """Each has a key, the same every time: by it the other side knows what it has."""
    return [
        one if one.key else attrs.evolve(one, key=f"copied:{conversation}:{kind}:{number}")
        for number, one in enumerate(kept)
    ]
