"""Cleaning up in the SQLite file: its steps, the deletions that are owed, leases and the audit."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import (
    Account,
    AuditEntry,
    Bounds,
    Change,
    DeletionJob,
    Lease,
    StepResult,
)
from exai_trio.storage.sqlite.uploads import (
    audit_rows,
    cleanup_steps,
    deletion_queue,
    lease_rows,
    object_rows,
)
from exai_trio.storage.sqlite.uploads.upload_rows import TimeOf, database_time
from exai_trio.storage.sqlite.uploads.upload_store import Database

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

T = TypeVar("T")


def _no_objects(_sha256: str) -> int:
    return 0


@structs.frozen
class SqliteCleanup:
    """CleanupSteps, DeletionJobs, Leases, Audit and ObjectDisposal of an open database. `unlink` deletes a stored object and returns its
    size; it is called in the writer's thread."""

    _database: Database
    _unlink: Callable[[str], int] = _no_objects
    _time_of: TimeOf = database_time

    async def step(
        self, name: str, bounds: Bounds, after: int = 0, *, dry_run: bool = False
    ) -> StepResult:
        if name == "expire_conversations" and not after and not dry_run:
            await self._database.write(lambda c: cleanup_steps.unmark(c, bounds.now))
        at = cleanup_steps.times(await self.time(), bounds)
        found = await self._database.read(lambda c: cleanup_steps.look(c, name, at, after))
        if dry_run or not found.keys:
            return StepResult(changes=found.changes, next=found.next)
        done = await self._database.write(lambda c: cleanup_steps.change(c, name, at, found))
        return StepResult(changes=done, next=found.next)

    async def disposable(self, most: int) -> tuple[str, ...]:
        return await self._database.read(lambda c: object_rows.disposable(c, most))

    async def unreferenced(self, most: int) -> tuple[str, ...]:
        return await self._database.read(lambda c: object_rows.unreferenced(c, most))

    async def is_known(self, sha256: str) -> bool:
        return await self._database.read(lambda c: object_rows.is_known(c, sha256))

    async def dispose(self, sha256: str, *, even_known: bool = False) -> int:
        return await self._database.write(
            lambda c: object_rows.dispose(
                c, self._time_of(c), sha256, self._unlink, even_known=even_known
            )
        )

    async def completed_before(self, at: float, account: Account) -> tuple[tuple[str, str], ...]:
        return await self._database.read(lambda c: _completed_before(c, at, account))

    async def owed(self, account: Account) -> frozenset[str]:
        return await self._database.read(lambda c: _owed(c, account))

    async def time(self) -> float:
        return await self._database.read(self._time_of)

    async def claim_jobs(self, accounts: tuple[Account, ...], most: int) -> tuple[DeletionJob, ...]:
        return await self._write(deletion_queue.claim_jobs, accounts, most)

    async def finish_job(self, job: DeletionJob) -> bool:
        return await self._write(deletion_queue.finish_job, job)

    async def fail_job(self, job: DeletionJob, error: str) -> bool:
        return await self._write(deletion_queue.fail_job, job, error)

    async def take(self, name: str, holder: str, for_s: float) -> Lease | None:
        return await self._write(lease_rows.take, name, holder, for_s)

    async def renew(self, lease: Lease, for_s: float) -> bool:
        return await self._write(lease_rows.renew, lease, for_s)

    async def give_back(self, lease: Lease) -> None:
        await self._database.write(lambda c: lease_rows.give_back(c, lease))

    async def note(self, stage: str, changes: tuple[Change, ...]) -> None:
        await self._write(audit_rows.note, stage, changes)

    async def newest(self, most: int) -> tuple[AuditEntry, ...]:
        return await self._database.read(lambda c: audit_rows.newest(c, most))

    async def _write(self, work: Callable[..., T], *given: object) -> T:
        return await self._database.write(lambda c: work(c, self._time_of(c), *given))


def _completed_before(
    connection: "Connection", at: float, account: Account
) -> tuple[tuple[str, str], ...]:
    rows = connection.execute(
        "SELECT id, provider_file_id FROM provider_file_uploads WHERE provider = ? AND account = ?"
        " AND upload_status = 'completed' AND uploaded_at < ?",
        (account.provider, account.account, at),
    )
    return tuple((upload, file_id) for upload, file_id in rows)


def _owed(connection: "Connection", account: Account) -> frozenset[str]:
    rows = connection.execute(
        "SELECT provider_file_id FROM file_deletion_jobs WHERE provider = ? AND account = ?",
        (account.provider, account.account),
    )
    return frozenset(file_id for (file_id,) in rows)
