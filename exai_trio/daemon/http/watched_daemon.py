"""What the pages look at, and what they may change: parts of one daemon."""

from collections.abc import Callable
from typing import Any, Protocol

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.settings.load import Loaded
from exai_trio.storage.ended_calls import EndedCalls
from exai_trio.tools.base import Services

from ..connections.auth import Authentication
from ..connections.identity import Identity
from ..health.report import Report
from ..jobs.cleaning import Cleaning
from ..jobs.watching import Watching
from ..sessions.session_registry import Sessions
from .session_book import SessionBook


class PageTerminals(Protocol):
    """What the page of terminals uses; `of_page` says whom a page's login stands for."""

    of_page: Callable[[str], Identity | None]

    async def create(self, identity: Identity, fields: dict[str, Any]) -> dict[str, Any]:
        """The record of a new session. Raises TerminalError. Cancelling may leave it running."""
        ...


@structs.frozen(kw_only=True, eq=False)
class WatchedDaemon:
    """`book` knows the clients; `reread` reads the settings again, to tell where each came from, and blocks on the disk."""

    report: Report
    sessions: Sessions
    services: Services
    auth: Authentication
    book: SessionBook
    ended: EndedCalls
    cleaning: Cleaning | None = None
    terminals: PageTerminals | None = None
    watching: Watching | None = None
    reread: Callable[[], Loaded] | None = None

    @property
    def config(self) -> Config:
        return self.report.config

    def now(self) -> float:
        return self.report.context.clock.now()
