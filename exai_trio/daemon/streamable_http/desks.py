"""The front desks of all HTTP clients: one for each session, and one for each request of the era without sessions."""

import logging
import os
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

import attrs
import trio

from exai_trio import structs
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.tool_list import Listing, listing_of
from exai_trio.wire.messages import Hello

from ..connections.rate_limits import RateLimits
from ..context import DaemonContext
from ..delivery.outbox import Outbox
from ..sessions.session_registry import Sessions
from .front_desk import FrontDesk
from .session_ids import SessionIds
from .session_runner import SessionRunner

log = logging.getLogger("exai.http")

_LOOK_S: Final = 5.0
_CLIENT: Final = "mcp-http"
# The session of all requests that have none of their own, for each principal: of those that a client can ask for again, by a key
# of theirs, and of those that end with the daemon.
_LASTING: Final = "http_stateless_lasting"
_FLEETING: Final = "http_stateless_fleeting"
_MOST_ENDED: Final = 10_000


@structs.define(eq=False)
class Desks:
    """`nursery` has the runners; `tools` gives the listed tools. Runs until `run` is cancelled."""

    context: DaemonContext
    sessions: Sessions
    tools: Callable[[], list[dict[str, Any]]]
    ids: SessionIds
    nursery: trio.Nursery
    large: LargeResults
    _desks: dict[str, FrontDesk] = attrs.field(factory=dict[str, FrontDesk])
    _shared: dict[tuple[str, str], SessionRunner] = attrs.field(
        factory=dict[tuple[str, str], SessionRunner]
    )
    _ended: dict[str, None] = attrs.field(factory=dict[str, None])  # by their clients, oldest first
    _passing: WeakSet[FrontDesk] = attrs.field(factory=WeakSet[FrontDesk])
    _joining: dict[str, trio.Lock] = attrs.field(factory=dict[str, trio.Lock])
    _listing: Listing | None = None
    _is_listed: bool = False

    def __repr__(self) -> str:
        return f"<Desks sessions={len(self._desks)} stateless={len(self._shared)}>"

    @property
    def is_full(self) -> bool:
        return len(self._desks) >= self.context.config.max_connections

    async def open(self, principal: str) -> tuple[str, FrontDesk]:
        """A new session and its id. Raises StorageError. Cancelling leaves none, or one that ends of itself."""
        session_id = self.ids.new(principal)
        return session_id, await self._desk(session_id, principal)

    async def find(self, session_id: str, principal: str) -> FrontDesk | None:
        """The session of this id, also of one that an earlier daemon gave; None if it is not this principal's. Raises as
        `open` does."""
        if session_id in self._ended or not self.ids.is_ours(session_id, principal):
            return None
        async with self._joining.setdefault(session_id, trio.Lock()):
            known = self._desks.get(session_id)
            if known is not None and not known.runner.is_over:
                return known
            return await self._desk(session_id, principal)

    async def passing(self, principal: str, *, lasting: bool) -> FrontDesk:
        """For one request without a session; `lasting`: it can be asked for again, at a later daemon too. Raises as `open`
        does."""
        name = _LASTING if lasting else _FLEETING
        async with self._joining.setdefault(f"{name} {principal}", trio.Lock()):
            runner = self._shared.get((name, principal))
            if runner is None or runner.is_over:
                runner = await self._join(name, principal, lasting=lasting)
                self._shared[name, principal] = runner
        desk = self._made(os.urandom(8).hex(), runner)
        self._passing.add(desk)
        return desk

    def end(self, session_id: str) -> None:
        """Its client wants it no more: what runs for it is cancelled."""
        self._ended[session_id] = None
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        desk = self._desks.pop(session_id, None)
        self._joining.pop(session_id, None)
        if desk is not None:
            desk.bridge.give_up_all("the session was ended")
            desk.close()
            desk.runner.end()

    async def _desk(self, session_id: str, principal: str) -> FrontDesk:
        runner = await self._join(session_id, principal)
        desk = self._desks[session_id] = self._made(os.urandom(8).hex(), runner)
        return desk

    def _made(self, name: str, runner: SessionRunner) -> FrontDesk:
        limit = self.context.config.tool_call_max_size
        return FrontDesk(name, runner, self.large, self.listing, limit)

    async def _join(
        self, session_id: str, principal: str, *, lasting: bool = True
    ) -> SessionRunner:
        outbox = Outbox()
        hello = Hello(session_id=session_id, client_name=_CLIENT, protocol=2)
        session, _ = await self.sessions.join(hello, principal, outbox, lasting=lasting)
        rates = RateLimits(session.requests, None, trio.current_time)
        runner = SessionRunner(session, outbox, rates.objection, self._tools_changed)
        self.nursery.start_soon(runner.run)
        return runner

    def listing(self) -> Listing | None:
        """The tool list, made once for all until it changes."""
        if not self._is_listed:
            self._listing, self._is_listed = listing_of(self.tools()), True
        return self._listing

    def _tools_changed(self) -> None:
        self._is_listed = False
        for desk in [*self._desks.values(), *self._passing]:
            desk.offer_tools()

    async def run(self) -> None:
        """End sessions that nobody has used for EXAI_SESSION_GRACE_S, and close the streams of those that are over. Cancelling
        leaves them as they are."""
        while True:
            await trio.sleep(_LOOK_S)
            old = trio.current_time() - self.context.config.session_grace_s
            for session_id, desk in list(self._desks.items()):
                desk.runner.acknowledge()
                if desk.runner.is_over:
                    desk.close()
                if desk.runner.is_over or (desk.is_idle and desk.used_at <= old):
                    self._leave(session_id, desk)
            for runner in self._shared.values():
                runner.acknowledge()

    def _leave(self, session_id: str, desk: FrontDesk) -> None:
        """Its client may come back all the same: the id stays good."""
        log.debug("http session left", extra={"desk": repr(desk)})
        del self._desks[session_id]
        self._joining.pop(session_id, None)
        desk.runner.end()
