"""Deleting what was condemned: first at the provider, then the stored object. What fails is tried again by a later run."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from exai_trio.errors import ExaiError
from exai_trio.filestore.adoption import Shelved
from exai_trio.filestore.cleanup_report import CleanupReport
from exai_trio.filestore.reconciliation import StoredObjects
from exai_trio.storage.contracts.cleanup_records import (
    MOST_ROWS,
    Account,
    Change,
    CleanupSteps,
    DeletionJob,
    DeletionJobs,
    ObjectDisposal,
)

_AT_ONCE: Final = 10  # jobs claimed together: a minute is enough for so many requests


class Shelf(Protocol):
    """A provider's files under one key. Raises ProviderError; cancelling leaves open whether one was deleted."""

    async def delete(self, file_id: str) -> None:
        """One that is not there is deleted already."""
        ...

    async def listed(self) -> tuple[Shelved, ...]: ...


class DeletingStore(CleanupSteps, DeletionJobs, ObjectDisposal, Protocol):
    """What deleting asks of a store."""


Keep = Callable[[], Awaitable[None]]
"""Renew the lease; raises if it is lost."""


async def delete_files(
    store: DeletingStore, shelves: Mapping[Account, Shelf], report: CleanupReport, keep: Keep
) -> None:
    """Raises StorageError. Cancelling leaves a job to be claimed again in a minute."""
    if report.dry_run:
        await _would_delete(store, shelves, report)
        return
    await keep()
    while jobs := await store.claim_jobs(tuple(shelves), _AT_ONCE):
        for job in jobs:
            account = Account(provider=job.provider, account=job.account)
            await _delete(store, shelves[account], job, report)
        await keep()


async def _delete(
    store: DeletingStore, shelf: Shelf, job: DeletionJob, report: CleanupReport
) -> None:
    name = f"{job.provider}:{job.provider_file_id}"
    fault = await _fault_of_deletion(shelf, job)
    if fault is None:
        if await store.finish_job(job):
            report.note("delete", [Change(subject=name, why=job.reason, bytes=job.size)])
    elif await store.fail_job(job, fault):
        report.note_fault(f"{name} is not tried any more: {fault}")
    else:
        report.note_fault(f"{name} is tried again later: {fault}")


async def _fault_of_deletion(shelf: Shelf, job: DeletionJob) -> str | None:
    try:
        await shelf.delete(job.provider_file_id)
    except ExaiError as fault:
        return fault.message
    return None


async def _would_delete(
    store: DeletingStore, shelves: Mapping[Account, Shelf], report: CleanupReport
) -> None:
    for account in shelves:
        owed = sorted(await store.owed(account))
        report.note(
            "delete",
            [Change(subject=f"{account.provider}:{each}", why="condemned") for each in owed],
        )


async def dispose_objects(
    store: DeletingStore, objects: StoredObjects, most: int, report: CleanupReport, keep: Keep
) -> None:
    """Those whose uploads are gone; above `most` bytes in all, also others that nobody refers to, until the rest fits.
    Raises StorageError. Cancelling leaves the rest to the next run."""
    sizes = {each.sha256: each.size for each in await objects.listed()}
    used = sum(sizes.values())
    while found := await store.disposable(MOST_ROWS):
        freed = [await _dispose(store, each, sizes, "deleted everywhere", report) for each in found]
        used -= sum(freed)
        await keep()
        if report.dry_run or not any(freed):
            break
    for sha256 in await store.unreferenced(MOST_ROWS) if used > most else ():
        if used > most:
            used -= await _dispose(store, sha256, sizes, "no room", report, even_known=True)
            await keep()


async def _dispose(
    store: ObjectDisposal,
    sha256: str,
    sizes: dict[str, int],
    why: str,
    report: CleanupReport,
    *,
    even_known: bool = False,
) -> int:
    """The bytes that it freed, or in a dry run would free, once."""
    if report.dry_run:
        freed = sizes.pop(sha256, 0)
    else:
        freed = await store.dispose(sha256, even_known=even_known)
    if freed:
        report.note("delete", [Change(subject=f"object:{sha256}", why=why, bytes=freed)])
    return freed
