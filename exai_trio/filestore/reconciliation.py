"""Comparing the registry with the world: objects that nobody knows go, ids that are gone are emptied, files of others are reported."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from exai_trio.errors import ExaiError
from exai_trio.filestore.adoption import Shelved
from exai_trio.filestore.cleanup_report import CleanupReport
from exai_trio.storage.contracts.cleanup_records import (
    Account,
    Audit,
    Change,
    CleanupSteps,
    ObjectDisposal,
)
from exai_trio.storage.contracts.file_objects import ObjectFacts
from exai_trio.storage.contracts.provider_uploads import UploadRegistry

OLD_S: Final = 48 * 3600.0  # an object that nobody knows may be on its way for so long


class StoredObjects(Protocol):
    """What cleaning up asks of the store of contents. Raises StorageError; cancelling leaves files that are there whole."""

    async def listed(self) -> tuple[ObjectFacts, ...]: ...

    async def remove_unfinished(self, now: float) -> int: ...


class ListedShelf(Protocol):
    """A provider's files under one key. Raises ProviderError; cancelling ends the request."""

    async def listed(self) -> tuple[Shelved, ...]: ...


class ReconcilingStore(CleanupSteps, ObjectDisposal, Audit, Protocol):
    """What comparing asks of a store."""


async def reconcile(
    store: ReconcilingStore,
    registry: UploadRegistry,
    objects: StoredObjects,
    shelves: Mapping[Account, ListedShelf],
    *,
    report: CleanupReport,
    keep: Callable[[], Awaitable[None]],
) -> None:
    """Raises StorageError; what a provider cannot say is among the report's faults. Cancelling leaves the rest to the next run."""
    await _unknown_objects(store, objects, report, keep)
    for account, shelf in shelves.items():
        await keep()
        try:
            await _compare(store, registry, account, shelf, report)
        except ExaiError as fault:
            report.note_fault(f"{account.provider}: {fault.message}")


async def _unknown_objects(
    store: ReconcilingStore,
    objects: StoredObjects,
    report: CleanupReport,
    keep: Callable[[], Awaitable[None]],
) -> None:
    now = await store.time()
    if not report.dry_run:
        await objects.remove_unfinished(now)
    for each in await objects.listed():
        if each.stored_at > now - OLD_S or await store.is_known(each.sha256):
            continue
        change = Change(subject=f"object:{each.sha256}", why="unknown", bytes=each.size)
        if report.dry_run or await store.dispose(each.sha256):
            report.note("reconcile", (change,))
        await keep()


async def _compare(
    store: ReconcilingStore,
    registry: UploadRegistry,
    account: Account,
    shelf: ListedShelf,
    report: CleanupReport,
) -> None:
    """What was complete before the list was asked for, and is not in it, is gone."""
    before = await store.time()
    listed = frozenset(file.id for file in await shelf.listed())
    for upload_id, file_id in await store.completed_before(before, account):
        if file_id not in listed:
            change = Change(subject=f"{account.provider}:{file_id}", why="gone at the provider")
            if not report.dry_run:
                await registry.note_gone(upload_id, file_id)
            await _note(store, (change,), report)
    known = await registry.holders(account.provider, account.account)
    report.unknown += [f"{account.provider}:{each}" for each in sorted(listed - set(known))]


async def _note(
    store: ReconcilingStore, changes: tuple[Change, ...], report: CleanupReport
) -> None:
    report.note("reconcile", changes)
    if not report.dry_run:
        await store.note("reconcile", changes)
