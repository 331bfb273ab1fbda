"""One client across its connections: its calls, its numbered frames, the connection it has now. No sockets here."""

import logging
import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import (
    CallCancelled,
    ExaiError,
    NotFoundError,
    ServiceUnavailableError,
)
from exai_trio.principals import principal_of
from exai_trio.resilience.rate import Bucket
from exai_trio.tools.arguments import parse
from exai_trio.wire.handles import is_handle
from exai_trio.wire.messages import (
    CallCancelling,
    CallFailed,
    CallTool,
    Cancel,
    ErrorReply,
    RequestId,
)
from exai_trio.wire.session_rules import Again, Bounds, Refuse, SessionRules

from ..calls.call_journal import Ledger, Unfinished, key_of
from ..calls.execution import Call
from ..calls.lifecycle import Running
from ..calls.limits import allowed_roots, longest, setting_of
from ..calls.recovery import broken_off, may_run_again, outcome_from, outcome_of_a_rerun
from ..calls.wire_errors import as_fault
from ..connections.rate_limits import REQUESTS
from ..context import Shared
from ..delivery.outbox import Outbox
from ..delivery.sender import Mail
from ..takeover.predecessor import Elsewhere
from .memory_budget import SESSION_BYTES

log = logging.getLogger("exai.session")

_LEAST_IDLE_S = 1.0
_ENDING_S = 10.0  # for the last outcomes of a session whose client did not come back


@structs.define(eq=False)
class Session:
    """Made by `open_session`, run by `Sessions`. All but the waits is one synchronous step.

    `spoken_to`: its client has sent something after a hello, and so knows that it has this session and no older one.
    """

    id: str
    principal: str
    shared: Shared
    rules: SessionRules
    mail: Mail
    running: Running
    requests: Bucket = attrs.field(factory=lambda: Bucket(REQUESTS))
    roots: tuple[Path, ...] = ()
    acked_on_disk: int = 0
    spoken_to: bool = False
    _shed: bool = False
    _visits: int = 0
    _nursery: trio.Nursery | None = None
    _changed: trio.Event = attrs.field(factory=trio.Event)

    @property
    def calls(self) -> dict[RequestId, Call]:
        return self.running.calls

    @property
    def outbox(self) -> Outbox | None:
        return self.mail.outbox

    def is_continued_by(self, last_seq: int) -> bool:
        """Whether a client that has numbers up to `last_seq` has them from this session, and not from one of the same id
        that is no more: the word that it was a new one may have been lost on its way."""
        return self.spoken_to and last_seq <= self.rules.last_seq

    def begin(self, running: trio.Nursery) -> None:
        """Calls run in this nursery from now on; whoever opened it ends them, and then calls `end`."""
        self._nursery = running

    def end(self) -> None:
        """No call can run any more; a connection that is still there hears so."""
        self._nursery = None

    async def wait_abandoned(self) -> None:
        """Return when no client has been there for EXAI_SESSION_GRACE_S, or when one left nothing to come back to.

        A call that was handed over is not the client's to lose: its task is waited for.
        """
        if is_handle(self.id):
            await self._wait_done()
            return
        while True:
            while self.outbox is not None:
                await self._wait_change()
            if not self.rules.holds_anything:
                return
            with trio.move_on_after(self.shared.config.session_grace_s) as grace:
                await self._wait_change()
            if self._may_go:
                return
            # A daemon that was replaced lets its calls end: their clients have gone over.
            abandoned = grace.cancelled_caught and not self.shared.draining.is_set()
            if abandoned and self.outbox is None:
                visits = self._visits
                await self._end_calls()
                await self.running.wait_dispensable()
                if visits == self._visits:
                    return

    @property
    def _may_go(self) -> bool:
        return self._shed and self.outbox is None and not self.running.holds_back

    async def _wait_done(self) -> None:
        """Return when no call has run here for a while: after a restart the session is there before its call."""
        busy = True
        while busy:
            await self.running.wait_none()
            await trio.sleep(max(_LEAST_IDLE_S, self.shared.config.session_grace_s))
            busy = bool(self.running.busy)

    async def _end_calls(self) -> None:
        """Cancel every call and let the outcomes be kept; a client that comes back just now hears them."""
        with trio.move_on_after(_ENDING_S):
            self.running.end_all(CallCancelled("the session ended: its client did not come back"))
            await self.running.wait_none()

    async def _wait_change(self) -> None:
        self._changed = trio.Event()
        await self._changed.wait()

    def attach(self, outbox: Outbox, *, protocol: int, last_seq: int) -> None:
        """Take a new connection. The one before hears "superseded"; what the client has missed is put first."""
        self._shed = False
        self._visits += 1
        self.mail.attach(outbox, protocol=protocol, last_seq=last_seq)
        self._changed.set()

    def detach(self, outbox: Outbox) -> None:
        """The connection is gone; calls go on."""
        if self.mail.outbox is outbox:
            self.mail.outbox = None
            self._changed.set()

    @property
    def held_bytes(self) -> int:
        """Memory that the session takes, about."""
        box = self.outbox.held_bytes if self.outbox else 0
        asked = sum(call.size for call in self.calls.values())
        return SESSION_BYTES + self.rules.held_bytes + box + asked

    def is_idle(self, since: float) -> bool:
        """Whether its client is away, or has taken nothing since that moment."""
        return self.outbox is None or self.outbox.is_stuck(since)

    def shed(self) -> bool:
        """Be rid of a client that does not read; once it is gone and no call runs, end. False if nothing could be done now."""
        if self.outbox is not None:
            return self.outbox.expel(self.shared.config.ws_close_timeout)
        if self._shed or self.running.holds_back or is_handle(self.id):
            return False
        self._shed = True
        self._changed.set()
        return True

    def call_tool(self, request: CallTool, size: int, objection: ExaiError | None = None) -> None:
        """Start the call, or repeat what is known of it, or refuse it. `size` is the frame's, in bytes; `objection` says why
        a new call is not wanted now."""
        # Most of many calls at once are refused, and the accepted ones wait for that: first what costs little.
        planned = objection or self.rules.over_capacity() or self._plan(request, size)
        refusal = planned if isinstance(planned, ExaiError) else None
        match self.rules.submit(request, refusal):
            case Refuse(fault):
                self._refuse(request, fault)
            case Again(frame, anew):
                self.shared.figures.repeated += 1
                if frame is not None and not self.mail.holds(request.request_id):
                    self.mail.deliver(frame, kept=anew)
            case _:
                if isinstance(planned, Call) and self._nursery is not None:
                    self.running.begin(planned)
                    name = f"call {planned.tool.name}"
                    self._nursery.start_soon(self.running.run, planned, name=name)

    def take_up(self, left: Unfinished, ledger: Ledger, elsewhere: Elsewhere | None = None) -> None:
        """A call that an earlier daemon accepted and did not end: wait for it where it still runs; or run it once more if
        that is allowed; or say that it broke off. Only between `begin` and `end`."""
        call = self._call_of(left.request, self._allowed(map(str, left.roots)))
        running, nursery = self.running, self._nursery
        if nursery is None:
            return
        there = elsewhere.find(self.id, key_of(left.request.request_id)) if elsewhere else None
        if isinstance(call, Call) and there is not None:
            call.timeout, call.attempt, call.accepted_at = left.timeout, left.attempts, left.at
            call.started -= there.elapsed_s
            running.begin(call)
            work = partial(outcome_from, there, ledger)
            nursery.start_soon(running.go_on, call, work, name=f"call {call.tool.name}")
        elif isinstance(call, Call) and may_run_again(call, left.attempts):
            call.timeout, call.attempt, call.accepted_at = left.timeout, left.attempts + 1, left.at
            running.begin(call)
            work = partial(outcome_of_a_rerun, ledger)
            nursery.start_soon(running.go_on, call, work, name=f"call {call.tool.name}")
        else:
            why = broken_off(left.attempts) if isinstance(call, Call) else call
            nursery.start_soon(running.break_off, left.request.request_id, why)

    def _refuse(self, request: CallTool, fault: ExaiError) -> None:
        self.shared.figures.refused += 1
        correlation_id = f"refused-{self.shared.figures.refused}"
        failed = CallFailed(request_id=request.request_id, error=as_fault(fault, correlation_id))
        log.debug("call refused", extra={"code": fault.code, "correlation_id": correlation_id})
        self.mail.deliver(self.rules.number(failed))

    def _plan(self, request: CallTool, size: int) -> Call | ExaiError:
        """The call that this request would be, or why it cannot be one."""
        try:
            self._check_room(size)
        except ExaiError as objection:
            return objection
        roots = self.roots if request.roots is None else self._allowed(request.roots)
        return self._call_of(request, roots, size)

    def _allowed(self, named: Iterable[str]) -> tuple[Path, ...]:
        return allowed_roots(self.shared.config, self.principal, named)

    def _call_of(
        self, request: CallTool, roots: tuple[Path, ...], size: int = 0
    ) -> Call | ExaiError:
        try:
            tool = self.shared.registry.get(request.name)
            arguments = parse(tool, request.arguments)
        except ExaiError as objection:
            return objection
        most = longest(self.shared.config, tool)
        is_theirs = (request.timeout_s or most) < most
        call = Call(
            request=request,
            session_id=self.id,
            principal=self.principal,
            accepted_at=self.shared.now(),
            tool=tool,
            arguments=arguments,
            timeout=min(most, request.timeout_s or most),
            limited_by="timeout_s, which its client gave" if is_theirs else setting_of(tool),
            roots=roots,
            emit=self.mail.offer,
            shared=self.shared,
            handle_after=self._handle_after(request),
            size=size,
        )
        if is_handle(self.id):
            call.go_on_alone()
        return call

    def _handle_after(self, request: CallTool) -> float:
        """Seconds after which a call is answered with a handle. A call that was handed over has nobody to answer."""
        if is_handle(self.id):
            return math.inf
        asked = (self.shared.config.handle_after_s, request.handle_after_s)
        return min((seconds for seconds in asked if seconds), default=math.inf)

    def _check_room(self, size: int) -> None:
        if self.shared.draining.is_set() or self._nursery is None:
            raise ServiceUnavailableError("the daemon is draining; try again", retry_after_s=1.0)
        self.shared.burden.check(self.held_bytes, size)

    def cancel(self, request: Cancel) -> None:
        """End a running call; its one outcome (CANCELLED) follows. Anything else is answered NOT_FOUND."""
        call = self.calls.get(request.request_id)
        if call is None:
            fault = NotFoundError("no call with this request_id is running")
            error = as_fault(fault, "cancel")
            self.mail.send(ErrorReply(request_id=request.request_id, error=error))
            return
        self.mail.deliver(self.rules.number(CallCancelling(request_id=request.request_id)))
        call.end(CallCancelled("the client cancelled the call"))


def open_session(session_id: str, principal: str, shared: Shared) -> Session:
    """A session that knows nothing yet; it journals its calls if the daemon has a journal."""
    principal = principal_of(principal)
    rules = SessionRules(bounds=Bounds(running=shared.config.ws_session_max_inflight))
    ledger = Ledger(shared.journal, session_id, principal) if shared.journal else None
    mail = Mail(rules)
    running, roots = Running(mail, shared, ledger), allowed_roots(shared.config, principal)
    return Session(session_id, principal, shared, rules, mail, running, roots=roots)
