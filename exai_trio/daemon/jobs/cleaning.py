"""Cleaning up as a job of the daemon: by a clock that is trusted, and told when something cannot be deleted."""

import logging
from collections.abc import Callable

from exai_trio import structs
from exai_trio.filestore.cleanup_report import CleanupReport
from exai_trio.filestore.shared_cleanup import SharedCleanup
from exai_trio.observability.events import Event, Swept
from exai_trio.storage.base import Conversations

from ..context import Clock

log = logging.getLogger("exai.jobs")


@structs.frozen(eq=False)
class Cleaning:
    """Raises StorageError. Cancelling leaves the rest to the next time."""

    coordinator: SharedCleanup
    conversations: Conversations
    clock: Clock
    publish: Callable[[Event], None]

    async def clean_up(self) -> None:
        """Nothing is old by a clock that may be wrong; that it is right is noted for the next daemon."""
        if not self.clock.is_trusted():
            log.info("nothing old is deleted until the clock has been right for an hour")
            return
        report = await self.coordinator.run()
        await self.conversations.note_time(self.clock.now())
        if report is not None:
            self.tell(report)
        for fault in report.faults if report else ():
            log.warning("not cleaned up", extra={"fault": fault})

    def tell(self, report: CleanupReport) -> None:
        """What was done is published, stage by stage."""
        for stage, done in report.stages.items() if not report.dry_run else ():
            self.publish(Swept(stage=stage, removed=done.changed, freed_bytes=done.bytes))
