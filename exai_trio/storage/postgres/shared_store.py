"""An open PostgreSQL as the store of a daemon: conversations that all daemons share, and the calls of its own home."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.base import Conversations
from exai_trio.storage.postgres.breaker_store import PostgresBreakers
from exai_trio.storage.postgres.conversation_store import PostgresConversations
from exai_trio.storage.postgres.database import Database, open_database
from exai_trio.storage.postgres.journal import PostgresJournal, open_journal
from exai_trio.storage.postgres.permit_store import PostgresPermits
from exai_trio.storage.postgres.shared_calls_store import PostgresCalls
from exai_trio.storage.postgres.thread_store import PostgresThreads
from exai_trio.storage.shared.shared_calls import LEASE_S
from exai_trio.storage.store_times import StoreTimes
from exai_trio.system.disk import fault_of


class LocalStore(Protocol):
    """The store in the home, which keeps what belongs to one machine. Raises and cancels as it does itself."""

    @property
    def is_full(self) -> bool: ...

    @property
    def set_aside(self) -> Path | None: ...

    @property
    def fault(self) -> StorageError | None: ...

    def flush_by(self, deadline: float) -> None: ...

    async def recover(self) -> None: ...

    async def keep_log_short(self) -> None: ...


class SchemaUnknown(StorageError):
    """The tables are not those of this EXAI: somebody must mend that first."""

    retryable = False


@structs.frozen(eq=False)
class SharedStore:
    """How both fare, as one store. `needed` is the version of the schema that this EXAI asks for."""

    conversations: PostgresConversations
    threads: PostgresThreads
    journal: PostgresJournal
    calls: PostgresCalls
    permits: PostgresPermits
    breakers: PostgresBreakers
    _database: Database
    _local: LocalStore
    _needed: int

    @property
    def is_full(self) -> bool:
        return self._local.is_full

    @property
    def set_aside(self) -> Path | None:
        return self._local.set_aside

    @property
    def fault(self) -> StorageError | None:
        """Why something could not be written the last time; None if all is well."""
        database = self._database
        return database.fault or _schema_fault(database.version, self._needed) or self._local.fault

    def flush_by(self, deadline: float) -> None:
        """The process has time until then, on trio's clock."""
        self._local.flush_by(deadline)

    async def recover(self) -> None:
        """See whether what could not be reached can be. Cancelling changes nothing."""
        await self._local.recover()
        await fault_of(self._database.look)  # which is noted there

    async def keep_log_short(self) -> None:
        """As the local store does."""
        await self._local.keep_log_short()


@asynccontextmanager
async def open_shared_store(
    url: str,
    home: str,
    boot_id: str,
    local: LocalStore,
    clock: Conversations,
    *,
    now: Callable[[], float],
    needed: int,
    times: StoreTimes | None = None,
) -> AsyncGenerator[SharedStore]:
    """`home` names the daemon's home, `boot_id` its process. A database that is away keeps no daemon from starting; one whose schema is not `needed` does:
    raises SchemaUnknown. Leaving, or cancelling, writes what was accepted, for a few seconds, and closes its connections."""
    async with (
        open_database(url, now, times) as database,
        open_journal(database, home, boot_id) as journal,
    ):
        await fault_of(database.look)  # which is noted there; the upkeep asks again
        differs = _schema_fault(database.version, needed)
        if differs is not None:
            raise differs
        yield SharedStore(
            PostgresConversations(database, clock),
            PostgresThreads(database),
            journal,
            PostgresCalls(database, journal),
            PostgresPermits(database, LEASE_S),
            PostgresBreakers(database, LEASE_S),
            database,
            local,
            needed,
        )


def _schema_fault(version: int | None, needed: int) -> SchemaUnknown | None:
    """None also of one that has not been looked at."""
    if version is None or version == needed:
        return None
    if version > needed:
        what = f"of a newer EXAI (this one knows {needed}): upgrade this one."
    else:
        what = f"older than this EXAI ({needed}): run `exai storage migrate`."
    return SchemaUnknown(f"The schema of DATABASE_URL ({version}) is {what}")
