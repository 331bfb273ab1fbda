"""What the pages look at, and what they may change: parts of one daemon."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.monitoring.history.history_keeping import HistoryKeeping
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.meters.readings import Snapshot
from exai_trio.settings.load import Loaded
from exai_trio.storage.call_pages import CallFilter, NumberedCall
from exai_trio.storage.ended_calls import EndedCalls
from exai_trio.tools.base import Services

from ..connections.auth import Authentication
from ..health.report import Report
from ..jobs.call_keeping import CallKeeping
from ..jobs.cleaning import Cleaning
from ..jobs.watching import Watching
from ..sessions.session_registry import Sessions
from .job_book import JobBook
from .session_book import SessionBook

if TYPE_CHECKING:  # loaded only where it is asked for
    from ..terminals.terminal_endpoint import TerminalEndpoint

_CORRELATION_DIGITS: Final = 16
_MOMENTS: Final = 60  # a second apart


@structs.frozen(kw_only=True, eq=False)
class WatchedDaemon:
    """`recent` are the overview's meters of about the last minute, as far as somebody looked; `book` knows the clients, `jobs` what ran; `reread` reads the settings again, to tell where each came from, and blocks on the disk."""

    report: Report
    sessions: Sessions
    services: Services
    auth: Authentication
    keeping: CallKeeping
    cleaning: Cleaning | None = None
    terminals: "TerminalEndpoint | None" = None
    watching: Watching | None = None
    reread: Callable[[], Loaded] | None = None

    book: SessionBook = attrs.Factory(lambda self: SessionBook(self.now), takes_self=True)
    jobs: JobBook = attrs.Factory(lambda self: JobBook(self.now), takes_self=True)
    recent: deque[tuple[float, Snapshot]] = attrs.field(
        factory=lambda: deque[tuple[float, Snapshot]](maxlen=_MOMENTS)
    )

    def takes(self) -> Takes:
        """What it hears of events."""
        return {**self.book.takes(), **self.jobs.takes()}

    @property
    def ended(self) -> EndedCalls:
        return self.keeping.store

    @property
    def history(self) -> HistoryKeeping:
        return self.keeping.history

    async def ended_call(self, call_id: str) -> NumberedCall | None:
        """By its id or its correlation id; also one that is not in the store yet, whose number is 0. Raises StorageError; cancelling
        changes nothing."""
        waiting = [c for c in self.keeping.waiting if call_id in (c.id, c.correlation_id)]
        if waiting:
            return NumberedCall(0, waiting[-1])
        found = await self.ended.find(call_id)
        if found is not None or len(call_id) != _CORRELATION_DIGITS:
            return found
        of_id = await self.ended.page(CallFilter(correlation_id=call_id), None, 1)
        return of_id[0] if of_id else None

    @property
    def config(self) -> Config:
        return self.report.config

    def now(self) -> float:
        return self.report.context.clock.now()
