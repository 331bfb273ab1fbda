"""Upkeep of the database: what is old goes, room is looked for, its log stays short."""

import logging
from typing import Final

from exai_trio import structs
from exai_trio.storage.base import Conversations

from ..health.report import Report
from ..sessions.session_registry import Sessions

log = logging.getLogger("exai.jobs")

_NOTHING_OLD_S: Final = 3600.0


@structs.frozen(eq=False)
class StoreUpkeep:
    """Each method raises StorageError. Cancelling leaves the rest to the next time."""

    sessions: Sessions
    conversations: Conversations
    report: Report

    async def sweep_conversations(self) -> None:
        """Nothing expires by a clock that may be wrong; that it is right is noted for the next daemon."""
        clock = self.sessions.context.clock
        if not clock.is_trusted():
            log.info("nothing old is deleted until the clock has been right for an hour")
            return
        now = clock.now()
        await self.conversations.sweep(now)
        await self.conversations.note_time(now)

    async def tidy_bus(self) -> None:
        """Large results whose time is over go, and what an earlier daemon left unfinished. Nothing expires by a clock that may be wrong."""
        clock, bus = self.sessions.context.clock, self.report.bus
        if bus is not None:
            await bus.upkeep(clock.now() if clock.is_trusted() else None)

    async def sweep_journal(self) -> None:
        """What is acknowledged goes at once. Nothing counts as old by a clock that may be wrong, nor in the daemon's first hour:
        its client may be about to come back."""
        context = self.sessions.context
        if context.journal is not None:
            is_settled = self.report.uptime_s() >= _NOTHING_OLD_S
            now = context.clock.now() if is_settled and context.clock.is_trusted() else None
            await context.journal.sweep_calls(now, context.config.session_grace_s)

    async def look_for_room(self) -> None:
        """See whether the store can be written again; then take up what could not be read when the daemon started."""
        store = self.report.store
        if store is None:
            return
        await store.recover()
        self.report.note_store()
        if store.fault is None and not self.sessions.restored:
            await self.sessions.restore()

    async def count_stored_bytes(self) -> None:
        """Raises OSError."""
        await self.report.sizes.count(self.sessions.context.config)

    async def keep_log_short(self) -> None:
        if self.report.store is not None:
            await self.report.store.keep_log_short()
