"""The front desks of all HTTP clients: one for each session, and one for each request of the era without sessions."""

import os
from typing import Final
from weakref import WeakSet

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import OverCapacityError
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.tool_list import Listing, listing_of
from exai_trio.tools.registry import Registry
from exai_trio.wire.messages import Hello

from ..connections.rate_limits import RateLimits
from ..context import DaemonContext
from ..sessions.session_registry import Sessions
from .front_desk import FrontDesk
from .session_ids import SessionIds
from .session_runner import HeardOutbox, SessionRunner

_LOOK_S: Final = 5.0
_AGAIN_S: Final = 1.0  # a hint to clients, who decide
_CLIENT: Final = "mcp-http"
# The session of all requests that have none of their own, for each principal: of those that a client can ask for again, by a key
# of theirs, and of those that end with the daemon.
_LASTING: Final = "http_stateless_lasting"
_FLEETING: Final = "http_stateless_fleeting"
_MOST_ENDED: Final = 10_000


@structs.define(eq=False)
class Desks:
    """Sessions and requests, until `run` is cancelled."""

    context: DaemonContext
    sessions: Sessions
    tools: Registry
    ids: SessionIds
    large: LargeResults
    _desks: dict[str, FrontDesk] = attrs.field(factory=dict[str, FrontDesk])
    _shared: dict[tuple[str, str], SessionRunner] = attrs.field(
        factory=dict[tuple[str, str], SessionRunner]
    )
    _ended: dict[str, None] = attrs.field(factory=dict[str, None])  # by their clients, oldest first
    _passing: WeakSet[FrontDesk] = attrs.field(factory=WeakSet[FrontDesk])
    _joining: trio.Lock = attrs.field(factory=trio.Lock)
    _listing: Listing | None = None
    _listed: object = None  # what was offered as `_listing` tells it

    def __repr__(self) -> str:
        return f"<Desks sessions={len(self._desks)} stateless={len(self._shared)}>"

    async def open(self, principal: str) -> tuple[str, FrontDesk]:
        """A new session and its id. Raises StorageError, OverCapacityError. Cancelling leaves none, or one that ends of itself."""
        session_id = self.ids.new(principal)
        return session_id, await self._desk(session_id, principal)

    async def find(self, session_id: str, principal: str) -> FrontDesk | None:
        """The session of this id, also of one that an earlier daemon gave; None if it is not this principal's. Raises as
        `open` does."""
        known = self._known(session_id)
        if known is not None and known.runner.session.principal == principal:
            return known
        if session_id in self._ended or not self.ids.is_ours(session_id, principal):
            return None
        if known is None:
            async with self._joining:
                known = self._known(session_id) or await self._desk(session_id, principal)
        return known

    def _known(self, session_id: str) -> FrontDesk | None:
        desk = self._desks.get(session_id)
        return None if desk is None or desk.runner.is_over else desk

    async def passing(self, principal: str, *, lasting: bool) -> FrontDesk:
        """For one request without a session; `lasting`: it can be asked for again, at a later daemon too. Raises as `open`
        does."""
        name = (_LASTING if lasting else _FLEETING, principal)
        runner = self._runs(name)
        if runner is None:
            async with self._joining:
                runner = self._runs(name) or await self._join(*name, lasting=lasting)
                self._shared[name] = runner
        runner.used_at = trio.current_time()
        desk = self._made(os.urandom(8).hex(), runner)
        self._passing.add(desk)
        return desk

    def _runs(self, name: tuple[str, str]) -> SessionRunner | None:
        runner = self._shared.get(name)
        return None if runner is None or runner.is_over else runner

    def end(self, session_id: str) -> None:
        """Its client wants it no more: what runs for it is cancelled."""
        self._ended[session_id] = None
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        desk = self._desks.pop(session_id, None)
        if desk is not None:
            desk.bridge.give_up_all("the session was ended")
            desk.runner.end()

    async def _desk(self, session_id: str, principal: str) -> FrontDesk:
        if len(self._desks) >= self.context.config.max_connections:
            raise OverCapacityError(
                "too many HTTP sessions; try again later", retry_after_s=_AGAIN_S
            )
        runner = await self._join(session_id, principal)
        desk = self._desks[session_id] = self._made(os.urandom(8).hex(), runner)
        return desk

    def _made(self, name: str, runner: SessionRunner) -> FrontDesk:
        limit = self.context.config.tool_call_max_size
        return FrontDesk(name, runner, self.large, self.listing, limit)

    async def _join(
        self, session_id: str, principal: str, *, lasting: bool = True
    ) -> SessionRunner:
        outbox = HeardOutbox()
        hello = Hello(session_id=session_id, client_name=_CLIENT, protocol=2)
        session, _ = await self.sessions.join(hello, principal, outbox, lasting=lasting)
        rates = RateLimits(session.requests, None, trio.current_time)
        runner = SessionRunner(session, outbox, rates.objection, self._tools_changed, self._over)
        runner.begin()
        return runner

    def listing(self) -> Listing | None:
        """The tool list, made once for all until it changes."""
        offered = self.tools.offered
        if self._listed != offered:
            self._listed = offered
            self._listing = listing_of(self.tools.listing())
        return self._listing

    def _tools_changed(self) -> None:
        for desk in self._all():
            desk.offer_tools()

    def _all(self) -> list[FrontDesk]:
        return [*self._desks.values(), *self._passing]

    def _over(self, runner: SessionRunner) -> None:
        """Nothing more comes of this session here: who waits may come again."""
        for desk in self._all():
            if desk.runner is runner:
                desk.close()

    async def run(self) -> None:
        """Leave sessions that nobody has used for EXAI_SESSION_GRACE_S: their clients may come back all the same, for the ids stay
        good. Cancelling leaves them as they are."""
        while True:
            await trio.sleep(_LOOK_S)
            self._look(trio.current_time() - self.context.config.session_grace_s)

    def _look(self, old: float) -> None:
        for session_id, desk in list(self._desks.items()):
            desk.runner.acknowledge()
            if desk.runner.is_over or (desk.is_idle and desk.used_at <= old):
                del self._desks[session_id]
                desk.runner.end()
        for name, runner in list(self._shared.items()):
            runner.acknowledge()
            if runner.is_over or runner.is_idle(old):
                del self._shared[name]
                runner.end()
