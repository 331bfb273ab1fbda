"""One client across its connections: its calls, its numbered frames, the connection it has now. No sockets here."""

import logging
from pathlib import Path

import attrs
import trio

from exai_trio.config import Config
from exai_trio.errors import (
    CallCancelled,
    ExaiError,
    NotFoundError,
    OverCapacityError,
    ServiceUnavailableError,
)
from exai_trio.observability import logs
from exai_trio.observability.metrics import CallLine
from exai_trio.tools.arguments import parse
from exai_trio.tools.declaration import Tool
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import (
    Bye,
    CallAccepted,
    CallCancelling,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    DaemonMessage,
    ErrorReply,
    Progress,
    RequestId,
    StreamChunk,
)
from exai_trio.wire.session import Again, Bounds, Refuse, SessionRules

from .calls import Call, Outcome, outcome_of
from .faults import as_fault
from .outbox import Farewell, Outbox
from .state import Shared
from .toolcalls import line_of

log = logging.getLogger("exai.session")


@attrs.define(eq=False)
class Session:
    """Made and run by `Sessions`. All but the waits is one synchronous step."""

    id: str
    principal: str
    shared: Shared
    rules: SessionRules
    roots: tuple[Path, ...] = ()
    outbox: Outbox | None = None
    calls: dict[RequestId, Call] = attrs.field(factory=dict[RequestId, Call])
    _running: trio.Nursery | None = None
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def begin(self, running: trio.Nursery) -> None:
        """Calls run in this nursery from now on; whoever opened it ends them, and then calls `end`."""
        self._running = running

    def end(self) -> None:
        """No call can run any more; a connection that is still there hears so."""
        self._running = None

    async def wait_abandoned(self) -> None:
        """Return when no client has been there for EXAI_SESSION_GRACE_S, or when one left nothing to come back to."""
        while True:
            while self.outbox is not None:
                await self._wait_change()
            if not self.rules.holds_anything:
                return
            with trio.move_on_after(self.shared.config.session_grace_s) as grace:
                await self._wait_change()
            if grace.cancelled_caught and self.outbox is None:
                return

    async def _wait_change(self) -> None:
        self._changed = trio.Event()
        await self._changed.wait()

    def attach(self, outbox: Outbox, *, protocol: int, last_seq: int) -> None:
        """Take a new connection. The one before hears "superseded"; what the client has missed is put first."""
        if self.outbox is not None:
            self.outbox.put(encode(Bye(reason="superseded", retry_after_s=0.0)))
            self.outbox.close(Farewell(reason="superseded"))
        self.outbox = outbox
        self.rules.resumable = protocol > 1
        self._changed.set()
        for frame in self.rules.resume(last_seq):
            outbox.put(frame)

    def detach(self, outbox: Outbox) -> None:
        """The connection is gone; calls go on."""
        if self.outbox is outbox:
            self.outbox = None
            self._changed.set()

    def send(self, message: DaemonMessage) -> None:
        """A message that needs no number; lost if no client is there."""
        if self.outbox is not None:
            self.outbox.put(encode(message))

    def deliver(self, frame: str) -> None:
        """A numbered frame; a client that is away gets it when it comes back."""
        if self.outbox is not None:
            self.outbox.put(frame)

    def offer(self, message: Progress | StreamChunk) -> None:
        """A message that may be dropped."""
        if self.outbox is not None:
            self.outbox.offer(encode(message))

    def call_tool(self, request: CallTool, size: int) -> None:
        """Start the call, or repeat what is known of it, or refuse it. `size` is the frame's, in bytes."""
        planned = self._plan(request, size)
        objection = planned if isinstance(planned, ExaiError) else None
        match self.rules.submit(request, objection):
            case Refuse(fault):
                self._refuse(request, fault)
            case Again(frame):
                self.shared.figures.repeated += 1
                if frame is not None:
                    self.deliver(frame)
            case _:
                if isinstance(planned, Call) and self._running is not None:
                    self._start(planned, self._running)

    def _refuse(self, request: CallTool, fault: ExaiError) -> None:
        self.shared.figures.refused += 1
        correlation_id = f"refused-{self.shared.figures.refused}"
        failed = CallFailed(request_id=request.request_id, error=as_fault(fault, correlation_id))
        log.debug("call refused", extra={"code": fault.code, "correlation_id": correlation_id})
        self.deliver(self.rules.number(failed))

    def _plan(self, request: CallTool, size: int) -> Call | ExaiError:
        """The call that this request would be, or why it cannot be one."""
        try:
            self._check_room(size)
            tool = self.shared.registry.get(request.name)
            arguments = parse(tool, request.arguments)
        except ExaiError as objection:
            return objection
        most = longest(self.shared.config, tool)
        return Call(
            request=request,
            session_id=self.id,
            tool=tool,
            arguments=arguments,
            timeout=min(most, request.timeout_s or most),
            roots=self.roots
            if request.roots is None
            else allowed_roots(self.shared, request.roots),
            emit=self.offer,
            shared=self.shared,
        )

    def _check_room(self, size: int) -> None:
        if self.shared.draining.is_set() or self._running is None:
            raise ServiceUnavailableError("the daemon is draining; try again", retry_after_s=1.0)
        most = self.shared.config.tool_call_max_size
        if size > most:
            raise OverCapacityError(
                f"the request has {size} bytes; at most {most} are taken (TOOL_CALL_MAX_SIZE)."
                " Send less text, or name files instead of pasting them",
                details={"limit": "tool_call_max_size", "size": size, "max": most},
            )

    def _start(self, call: Call, running: trio.Nursery) -> None:
        self.calls[call.wire_id] = call
        self.shared.call_started()
        running.start_soon(self._run, call, name=f"call {call.tool.name}")

    async def _run(self, call: Call) -> None:
        logs.session_id.set(self.id)
        logs.request_id.set(call.request_id)
        logs.correlation_id.set(call.correlation_id)
        accepted = CallAccepted(request_id=call.wire_id, name=call.tool.name, timeout=call.timeout)
        self.deliver(self.rules.accept(call.wire_id, accepted))
        try:
            outcome = await outcome_of(call)
        finally:
            del self.calls[call.wire_id]
            self.shared.call_ended()
        if isinstance(outcome, CallResult) and not self.rules.resumable:
            outcome = attrs.evolve(outcome, text="\n".join(o.text for o in outcome.outputs))
        self.deliver(self.rules.finish(call.wire_id, outcome))
        self._count(call, outcome)

    def _count(self, call: Call, outcome: Outcome) -> None:
        code = outcome.error.code if isinstance(outcome, CallFailed) else ""
        self.shared.figures.count(code)
        self.shared.toolcalls.add(line_of(call, outcome))
        self.shared.call_log.add(
            CallLine(
                t=round(self.shared.now(), 3),
                op="call_tool",
                lat=round(call.elapsed, 6),
                sess=self.id,
                name=call.tool.name,
                prov=call.waits.provider_name,
                ok=not code,
                code=code,
            )
        )

    def cancel(self, request: Cancel) -> None:
        """End a running call; its one outcome (CANCELLED) follows. Anything else is answered NOT_FOUND."""
        call = self.calls.get(request.request_id)
        if call is None:
            fault = NotFoundError("no call with this request_id is running")
            error = as_fault(fault, "cancel")
            self.send(ErrorReply(request_id=request.request_id, error=error))
            return
        self.deliver(self.rules.number(CallCancelling(request_id=request.request_id)))
        call.end(CallCancelled("the client cancelled the call"))

    def end_calls(self, why: ExaiError) -> None:
        """Stop every running call; each has `why` as its outcome."""
        for call in list(self.calls.values()):
            call.end(why)


def longest(config: Config, tool: Tool) -> float:
    """Seconds that a call of this tool may take."""
    if tool.kind == "workflow":
        return config.workflow_tool_timeout_secs
    return config.simple_tool_timeout_secs


def allowed_roots(shared: Shared, named: list[str]) -> tuple[Path, ...]:
    """The directories that a client's tools may read: the setting if there is one, else what the client named."""
    if shared.config.allowed_roots:
        return shared.config.allowed_roots
    return tuple(Path(root) for root in named if Path(root).is_absolute())


def new_rules(shared: Shared) -> SessionRules:
    return SessionRules(bounds=Bounds(running=shared.config.ws_session_max_inflight))
