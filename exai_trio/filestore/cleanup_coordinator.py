"""Cleaning up, stage by stage: what is old expires, loses its references, is condemned, deleted, and compared with the world.

No trio here. Who is cancelled or killed between two steps leaves the rest to the next run; one run at a time, by a lease.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

import attrs

from exai_trio import structs
from exai_trio.filestore.cleanup_report import CleanupReport
from exai_trio.filestore.deletions import Shelf, delete_files, dispose_objects
from exai_trio.filestore.reconciliation import StoredObjects, reconcile
from exai_trio.storage.contracts.cleanup_records import (
    STAGES,
    STEPS,
    Account,
    Audit,
    Bounds,
    CleanupSteps,
    DeletionJobs,
    Lease,
    Leases,
    ObjectDisposal,
    Stage,
)
from exai_trio.storage.contracts.provider_uploads import UploadRegistry

LEASE: Final = "cleanup"
LEASE_S: Final = 120.0  # longest that one step takes, with its requests to a provider
_DAY_S: Final = 86_400.0


class CleanupStore(CleanupSteps, DeletionJobs, Leases, Audit, ObjectDisposal, Protocol):
    """All that cleaning up asks of a store."""


class LeaseLost(Exception):
    """Another process cleans up now."""


@structs.frozen(kw_only=True)
class CleanupLimits:
    """Seconds, and bytes that all stored objects may take."""

    grace_s: float
    history_s: float
    files_bytes: int


@structs.frozen(kw_only=True)
class CleanupCoordinator:
    """`now` is the clock by which conversations expire, in unix seconds. `shelves` are the providers' files that can be reached. `compares`:
    the registry knows all that EXAI has given them."""

    store: CleanupStore
    registry: UploadRegistry
    objects: StoredObjects
    shelves: Callable[[], Mapping[Account, Shelf]]
    limits: CleanupLimits
    now: Callable[[], float]
    compares: bool = True
    holder: str = attrs.field(factory=partial(secrets.token_hex, 8))

    async def run(
        self, stages: Sequence[Stage] = STAGES, *, dry_run: bool = False, daily: bool = True
    ) -> CleanupReport | None:
        """What was done, or would be; None if another process cleans up. `daily`: reconcile at most once a day.
        Raises: StorageError. Cancelling leaves the rest to the next run."""
        lease = await self.store.take(LEASE, self.holder, LEASE_S)
        if lease is None:
            return None
        report = CleanupReport(dry_run=dry_run)
        try:
            for stage in stages:
                await self._stage(stage, report, lease, daily=daily)
        except LeaseLost:
            report.note_fault("another process has taken over the cleaning up")
        await self.store.give_back(lease)
        return report

    async def _stage(
        self, stage: Stage, report: CleanupReport, lease: Lease, *, daily: bool
    ) -> None:
        keep = partial(self._keep, lease)
        if stage == "delete":
            await delete_files(self.store, self.shelves(), report, keep)
            await dispose_objects(self.store, self.objects, self.limits.files_bytes, report, keep)
        if stage == "reconcile" and (not daily or await self._is_due(report)):
            await reconcile(
                self.store,
                self.registry,
                self.objects,
                self.shelves() if self.compares else {},
                report=report,
                keep=keep,
            )
        for name in (name for name, of in STEPS.items() if of == stage):
            await self._steps(name, stage, report, lease)

    async def _steps(self, name: str, stage: Stage, report: CleanupReport, lease: Lease) -> None:
        bounds = Bounds(
            now=self.now(), grace_s=self.limits.grace_s, history_s=self.limits.history_s
        )
        after: int | None = 0
        while after is not None:
            await self._keep(lease)
            result = await self.store.step(name, bounds, after, dry_run=report.dry_run)
            report.note(stage, result.changes)
            after = result.next

    async def _is_due(self, report: CleanupReport) -> bool:
        """The lease of the last comparison is left to run out."""
        if report.dry_run:
            return True
        return await self.store.take("reconcile", secrets.token_hex(8), _DAY_S) is not None

    async def _keep(self, lease: Lease) -> None:
        if not await self.store.renew(lease, LEASE_S):
            raise LeaseLost
