"""Where `exai threads` finds conversations: in the file of this machine, or in the PostgreSQL of DATABASE_URL."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import NotFoundError
from exai_trio.storage.base import ConversationStore, Threads
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads
from exai_trio.system.clock import unix_now


class Changes(Protocol):
    """What changes a conversation, and tells whoever else is to hear of that. As Threads raises and cancels."""

    async def name(self, continuation_id: str, name: str, now: float, /) -> bool: ...

    async def fork(
        self, continuation_id: str, new_id: str, now: float, expires_at: float
    ) -> bool: ...

    async def delete(self, continuation_id: str, now: float) -> bool: ...


@structs.frozen
class Stored:
    """The owner's conversations, whether or not a daemon runs."""

    conversations: ConversationStore
    threads: Threads
    changes: Changes


def open_stored(config: Config) -> AbstractAsyncContextManager[Stored]:
    """Raises NotFoundError if nothing was ever stored, StorageError. Cancelling closes it, as leaving does."""
    return _open_shared(config) if config.is_shared else _open_own(config)


@asynccontextmanager
async def _open_own(config: Config) -> AsyncGenerator[Stored]:
    """SQLite lets several processes write one after the other."""
    path = config.state / "exai.db"
    if not path.exists():
        raise NotFoundError(f"no conversations are stored in {path}")
    async with open_sqlite(path) as store:
        threads = SqliteThreads(store)
        if not config.is_hosted:
            yield Stored(store, threads, threads)
            return
        from exai_trio.storage.sqlite.mirrored import local_side, outbox_table  # only where asked

        yield Stored(store, threads, local_side.LocalSide(store, outbox_table.SqliteOutbox(store)))


@asynccontextmanager
async def _open_shared(config: Config) -> AsyncGenerator[Stored]:
    from exai_trio.storage.memory.conversation_store import MemoryStore  # only where asked
    from exai_trio.storage.postgres.conversation_store import PostgresConversations
    from exai_trio.storage.postgres.database import open_database
    from exai_trio.storage.postgres.thread_store import PostgresThreads

    async with open_database(config.database_url, unix_now) as database:
        await database.look()
        threads = PostgresThreads(database)
        yield Stored(PostgresConversations(database, MemoryStore()), threads, threads)
