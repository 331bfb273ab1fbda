"""Cleaning up on both sides: what all machines share, and then what is on this one. If the former is away, it is left to a later run."""

from collections.abc import Sequence

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator
from exai_trio.filestore.cleanup_report import CleanupReport
from exai_trio.storage.contracts.cleanup_records import STAGES, Stage


@structs.frozen(kw_only=True)
class SharedCleanup:
    """`hosted` is None where nothing is shared."""

    local: CleanupCoordinator
    hosted: CleanupCoordinator | None = None

    async def run(
        self, stages: Sequence[Stage] = STAGES, *, dry_run: bool = False, daily: bool = True
    ) -> CleanupReport | None:
        """What was done on both; None if another process cleans up this machine. Raises: StorageError. Cancelling leaves the rest to the
        next run."""
        report = await self.local.run(stages, dry_run=dry_run, daily=daily)
        if report is None or self.hosted is None:
            return report
        try:
            there = await self.hosted.run(stages, dry_run=dry_run, daily=daily)
        except StorageError as fault:
            report.note_fault(f"at Supabase: {fault.message}")
            return report
        if there is not None:
            report.add(there)
        return report
