"""One client across its connections: its calls, its numbered frames, and the connection that it has now."""

import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import trio
from msgspec import UNSET

from exai_trio import structs
from exai_trio.errors import CallCancelled, ExaiError, NotFoundError, ServiceUnavailableError
from exai_trio.observability.events import CallRefused, CallRepeated, SessionResumed
from exai_trio.resilience.rate import Bucket
from exai_trio.system.change import Change
from exai_trio.transport.websocket import NORMAL
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import (
    PAYLOAD_REF,
    Ack,
    Bye,
    CallCancelling,
    CallFailed,
    CallTool,
    Cancel,
    ErrorReply,
)
from exai_trio.wire.session_rules import Again, Refuse, SessionRules

from ..calls.call import Call, Recipient, new_correlation_id
from ..calls.call_journal import key_of
from ..calls.call_plan import Plan, plan
from ..calls.environment import CallEnvironment
from ..calls.lifecycle import Calls
from ..calls.limits import REQUESTS, allowed_roots
from ..calls.session_calls import SessionCalls
from ..context import DaemonContext
from ..delivery.outbox import Farewell, Outbox
from ..delivery.sender import Sender
from ..delivery.wire_errors import as_fault
from .handles_told import HandlesTold
from .memory_budget import SESSION_BYTES, MemoryBudget

log = logging.getLogger("exai.session")

_DISMISSED: Final = Farewell(NORMAL, "session ended")
_DISMISSED_BYE: Final = encode(Bye(reason=_DISMISSED.reason, retry_after_s=0.0))


@structs.define(eq=False)
class Session:
    """Made and run by `Sessions`. All but the waits is one synchronous step.

    `beat_at`: when its client last answered a ping, of trio's clock. `spoken_to`: its client has sent something after a hello, and so
    knows that it has this session and no older one. `epoch`: under which this daemon has it, where others may take it.
    """

    id: str
    principal: str
    context: DaemonContext
    environment: CallEnvironment
    budget: MemoryBudget
    rules: SessionRules
    sender: Sender
    calls: SessionCalls
    all_calls: Calls
    requests: Bucket = attrs.field(factory=lambda: Bucket(REQUESTS))
    epoch: int = 0
    roots: tuple[Path, ...] = ()
    acked_on_disk: int = 0
    handles: HandlesTold = attrs.field(factory=HandlesTold)
    spoken_to: bool = False
    beat_at: float | None = None
    _has_ended: bool = False
    _shed: bool = False
    _is_dismissed: bool = False
    _visits: int = 0
    _left_at: float = attrs.field(factory=trio.current_time)
    _expected: int = 0
    _change: Change = attrs.field(factory=Change)

    def __repr__(self) -> str:
        state = "ended" if self._has_ended else "connected" if self.outbox else "away"
        return f"<Session {self.id} {state} calls={len(self.calls.table)} held={self.rules.held_bytes}>"

    @property
    def outbox(self) -> Outbox | None:
        return self.sender.outbox

    def is_continued_by(self, last_seq: int) -> bool:
        """Whether a client that has numbers up to `last_seq` has them from this session, and not from one of the same id
        that is no more: the word that it was a new one may have been lost on its way."""
        return self.spoken_to and last_seq <= self.rules.last_seq

    def end(self) -> None:
        """No call can be begun any more; a connection that is still there hears so."""
        self._has_ended = True
        if self.outbox is not None and self._is_dismissed:
            self.outbox.close(_DISMISSED)

    async def wait_abandoned(self) -> None:
        """Return when no client has been there for EXAI_SESSION_GRACE_S, or when one left nothing to come back to. No call is open
        here then. Cancelling leaves everything as it is."""
        while not self._may_go:
            if self._is_dismissed and self.calls.table:
                await self.calls.wait_none()
                continue
            if self._is_visited:
                await self._change.wait()
                continue
            if not self.rules.holds_anything:
                return
            with trio.move_on_after(self.context.config.session_grace_s) as grace:
                await self._change.wait()
            # A daemon that was replaced lets its calls end: their clients have gone over.
            abandoned = grace.cancelled_caught and not self.context.shutdown.draining
            if abandoned and not self._is_visited:
                visits = self._visits
                self.calls.end_all(CallCancelled("the session ended: its client did not come back"))
                await self.calls.wait_none()
                if visits == self._visits:
                    return

    @property
    def _may_go(self) -> bool:
        """One that is dismissed goes whoever is there, but not under a client that is being attached."""
        kept = self._expected > 0 if self._is_dismissed else self._is_visited or not self._shed
        return not kept and not self.calls.table

    @property
    def _is_visited(self) -> bool:
        return self.outbox is not None or self._expected > 0

    @contextmanager
    def expecting(self) -> Generator[None]:
        """A client is on its way to `attach`: until that, or until it has given up, the session does not end."""
        self._expected += 1
        self._visits += 1
        try:
            yield
        finally:
            self._expected -= 1
            self._change.tell()

    def attach(self, outbox: Outbox, *, protocol: int, last_seq: int) -> None:
        """Take a new connection. The one before hears "superseded"; what the client has missed is put first."""
        self._shed = False
        away_s = 0.0 if self.outbox else trio.current_time() - self._left_at
        self.handles.in_doubt |= self.outbox is not None
        replayed = self.sender.attach(outbox, protocol=protocol, last_seq=last_seq)
        if self._visits:
            back = SessionResumed(session=self.id, replayed_frames=replayed, away_s=away_s)
            self.context.events.publish(back)
        self._visits += 1
        self._change.tell()
        self.all_calls.changed.tell()

    def detach(self, outbox: Outbox) -> None:
        """The connection is gone; calls go on."""
        if self.sender.outbox is outbox:
            self.sender.outbox = None
            self._left_at = trio.current_time()
            self._change.tell()
            self.all_calls.changed.tell()

    def acknowledge(self, ack: Ack) -> None:
        before = self.rules.acked
        self.rules.acknowledge(ack.seq)
        acked = self.rules.acked
        if ack.handles is not UNSET:
            told = map(key_of, ack.handles)
            is_any_open = bool(self.calls.table or self.rules.unacked_frames)
            self.handles.note(before, acked, told, is_any_open=is_any_open)

    def dismiss(self, why: str) -> None:
        """End it: its calls end as cancelled, its client hears why, and who comes back after that finds what the journal has, or begins
        anew."""
        self._is_dismissed = True
        self.calls.end_all(CallCancelled(why))
        if self.outbox is not None:
            self.outbox.put(_DISMISSED_BYE)
        self._change.tell()

    def give_up(self, heir: Recipient) -> list[Call]:
        """End it, since another daemon has it; whoever called decides about its calls, which are returned. Those whose acceptance is on
        its way to the disk answer the heir, once it is there."""
        self._is_dismissed, self.epoch, self.calls.heir = True, 0, heir
        self.sender.supersede()
        self._change.tell()
        return list(self.calls.table.values())

    @property
    def held_bytes(self) -> int:
        """Memory that the session takes, about."""
        box = self.outbox.held_bytes if self.outbox else 0
        asked = sum(call.size for call in self.calls.table.values())
        return SESSION_BYTES + self.rules.held_bytes + box + asked

    def is_idle(self, since: float) -> bool:
        """Whether its client is away, or has taken nothing since that moment."""
        return self.outbox is None or self.outbox.is_stuck(since)

    def shed(self) -> bool:
        """Be rid of a client that does not read; once it is gone and no call runs, end. False if nothing could be done now."""
        if self.outbox is not None:
            return self.outbox.expel(self.context.config.ws_close_timeout)
        if self._shed or self.calls.table:
            return False
        self._shed = True
        self._change.tell()
        return True

    def call_tool(self, request: CallTool, size: int, objection: ExaiError | None = None) -> None:
        """Start the call, or repeat what is known of it, or refuse it. `size` is the frame's, in bytes; `objection` says why
        a new call is not wanted now."""
        request = self._noted(request)
        # Most of many calls at once are refused, and the accepted ones wait for that: first what costs little.
        planned = objection or self.rules.over_capacity() or self._plan(request, size)
        refusal = planned if isinstance(planned, ExaiError) else None
        match self.rules.submit(request, refusal):
            case Refuse(fault):
                self._refuse(request, fault)
            case Again(frame, anew):
                self.context.events.publish(CallRepeated(tool=request.name))
                if frame is not None and not self.sender.holds(request.request_id):
                    self.sender.deliver(frame, kept=anew)
            case _:
                if isinstance(planned, Call):
                    self.calls.table[request.request_id] = planned
                    self.all_calls.begin(planned)
        self.all_calls.changed.tell()

    def _noted(self, request: CallTool) -> CallTool:
        """With what its client's hello accepts: another daemon, which answers it before that client is there, must know."""
        accepts = [PAYLOAD_REF] if self.sender.takes_references else UNSET
        return request if request.accepts == accepts else attrs.evolve(request, accepts=accepts)

    def _refuse(self, request: CallTool, fault: ExaiError) -> None:
        refused = CallRefused(tool=request.name, code=fault.code, category=fault.category)
        self.context.events.publish(refused)
        correlation_id = new_correlation_id()
        failed = CallFailed(request_id=request.request_id, error=as_fault(fault, correlation_id))
        log.debug("call refused", extra={"code": fault.code, "correlation_id": correlation_id})
        self.sender.deliver(self.rules.number(failed))

    def _plan(self, request: CallTool, size: int) -> Call | ExaiError:
        """The call that this request would be, or why it cannot be one."""
        try:
            self._check_room(size)
            planned = plan(request, self.context.config, self.environment.tools)
        except ExaiError as objection:
            return objection
        roots = self.roots if request.roots is None else self.allowed(request.roots)
        return self.call_of(request, planned, roots, size)

    def allowed(self, named: Iterable[str]) -> tuple[Path, ...]:
        return allowed_roots(self.context.config, self.principal, named)

    def call_of(
        self, request: CallTool, planned: Plan, roots: tuple[Path, ...], size: int = 0
    ) -> Call:
        return Call(
            request=request,
            plan=planned,
            session_id=self.id,
            principal=self.principal,
            roots=roots,
            recipient=self.calls,
            context=self.context,
            environment=self.environment,
            changed=self.all_calls.changed,
            accepted_at=self.context.clock.now(),
            size=size,
            timeout=planned.timeout,
            limited_by=planned.limited_by,
        )

    def _check_room(self, size: int) -> None:
        shutdown = self.context.shutdown
        ends = shutdown.draining or self._has_ended or self._is_dismissed
        if ends or not shutdown.may_serve:
            why = "the daemon is draining" if ends else "the database is away"
            # audit: duration, because it is a hint to the client, who decides
            raise ServiceUnavailableError(f"{why}; try again", retry_after_s=1.0)
        self.budget.check(size, lambda: self.held_bytes)

    def cancel(self, request: Cancel, objection: ExaiError | None = None) -> None:
        """End a running call; its one outcome (CANCELLED) follows. Else the answer is the objection, if there is one, or NOT_FOUND."""
        call = self.calls.table.get(request.request_id)
        if objection is not None or call is None or not call.is_cancellable:
            fault = objection or NotFoundError("no call with this request_id is running")
            error = as_fault(fault, "cancel")
            self.sender.send(ErrorReply(request_id=request.request_id, error=error))
            return
        self.sender.deliver(self.rules.number(CallCancelling(request_id=request.request_id)))
        call.end(CallCancelled("the client cancelled the call"))
