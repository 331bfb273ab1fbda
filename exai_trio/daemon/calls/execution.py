"""One running call: its scopes, its permit, its tool, and the one outcome that comes of it."""

import logging
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
import trio
from msgspec import UNSET, UnsetType

from exai_trio import structs
from exai_trio.errors import CallCancelled, CallTimeoutError, ExaiError, InternalError
from exai_trio.observability.times import rfc3339
from exai_trio.tools.asking.ask_model import give_time
from exai_trio.tools.base import Answer, Tool
from exai_trio.wire.handles import handle_of, is_handle
from exai_trio.wire.messages import (
    CallFailed,
    CallResult,
    CallTool,
    Output,
    Progress,
    RequestId,
    StreamChunk,
)

from ..context import DaemonContext
from .environment import CallEnvironment
from .limits import longest_stream
from .wire_errors import as_fault, bugs_in, known_error

log = logging.getLogger("exai.calls")

_LEAST_PROGRESS_GAP_S = 0.25
# No client waits less; a tool that waits takes a second of it for the way back.
_ANY_CLIENT_S = 10.9

Emit = Callable[[Progress | StreamChunk], None]
Outcome = CallResult | CallFailed


def _new_correlation_id() -> str:
    return f"{random.getrandbits(64):016x}"


@structs.define
class Waits:
    """Seconds that a call spent waiting for permits, and the provider whose permit it was."""

    permit: float = 0.0
    provider: float = 0.0
    provider_name: str = ""


@structs.define(eq=False, kw_only=True)
class Call:
    """An accepted call; to its tool it is the Caller.

    `timeout` and `handle_after` are seconds from `started`; `size` is the request's frame in bytes; `accepted_at` is unix seconds, and stays over restarts; `attempt` counts runs over restarts; `left` says that the next daemon runs it; `bequeathed` takes its outcome to the daemon that answers it. `scope` is what the client's cancel and the daemon's cut end; `ending` says why. `deadline` ends it in time; `limited_by` is where that time is set.
    """

    request: CallTool
    session_id: str
    principal: str
    tool: Tool
    arguments: Any
    timeout: float
    roots: tuple[Path, ...]
    emit: Emit
    context: DaemonContext
    environment: CallEnvironment
    accepted_at: float
    handle_after: float = math.inf
    size: int = 0
    started: float = attrs.field(factory=trio.current_time)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    deadline: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    limited_by: str = ""
    ending: ExaiError | None = None
    attempt: int = 1
    left: bool = False
    bequeathed: Callable[[Outcome], None] | None = None
    waits: Waits = attrs.field(factory=Waits)
    correlation_id: str = attrs.field(factory=_new_correlation_id)
    doing: str = "running"
    detail: str = ""
    _said_at: float = 0.0
    _chunks: int = 0

    @property
    def wire_id(self) -> RequestId:
        return self.request.request_id

    @property
    def request_id(self) -> str:
        return str(self.request.request_id)

    @property
    def call_id(self) -> str:
        """The handle under which `result` finds it; the session of a call that was handed over has that name."""
        own = is_handle(self.session_id)
        return self.session_id if own else handle_of(self.session_id, self.wire_id)

    @property
    def idempotency_key(self) -> str:
        """A client may use its session and request ids again, when the daemon has forgotten the call."""
        return f"{self.call_id}-{self.accepted_at * 1000:.0f}"

    @property
    def elapsed(self) -> float:
        return trio.current_time() - self.started

    @property
    def answer_within_s(self) -> float:
        """What the client said, if anything. Else EXAI_HANDLE_AFTER_S tells how long it waits; but who wants handles sooner than
        any client gives up only wants them soon."""
        told = self.request.handle_after_s or max(self.handle_after, _ANY_CLIENT_S)
        return min(self.timeout, told) - self.elapsed

    @property
    def is_due_for_handle(self) -> bool:
        return self.elapsed >= self.handle_after and not self.tool.punctual and not self.ending

    def stage(self, stage: str, message: str) -> None:
        changed = stage != self.doing
        self.doing, self.detail = stage, message
        gap = trio.current_time() - self._said_at
        if changed or gap >= _LEAST_PROGRESS_GAP_S:
            self.say_progress()

    def say_progress(self) -> None:
        """Tell the client the stage as it is now."""
        self._said_at = trio.current_time()
        self.emit(
            Progress(
                request_id=self.wire_id,
                name=self.tool.name,
                t=rfc3339(self.context.clock.now()),
                stage=self.doing,
                message=self.environment.keys.masked(self.detail)
                or f"{self.tool.name}: {self.doing}",
                elapsed_s=round(self.elapsed, 3),
            )
        )

    def is_silent_since(self, moment: float) -> bool:
        return max(self._said_at, self.started) <= moment

    def chunk(self, text: str) -> None:
        if text and self.wants_chunks:
            chunk = self.environment.keys.masked(text)
            self.emit(StreamChunk(request_id=self.wire_id, index=self._chunks, chunk=chunk))
            self._chunks += 1

    @property
    def wants_chunks(self) -> bool:
        """The frame asks for a stream, or the tool's own argument does."""
        return self.request.stream or getattr(self.arguments, "stream", False) is True

    def waited_for_provider(self, provider: str, seconds: float) -> None:
        self.waits.provider += seconds
        self.waits.provider_name = provider

    def flows(self, until: float) -> float:
        """No deadline but the stream's holds from now on; and the client's own, if it gave one."""
        cut_at = min(until, self.started + self._allowed)
        give_time(self.deadline, cut_at)
        return cut_at

    def go_on_alone(self) -> None:
        """Its client has a handle and does not wait: it may take as long as a model's stream may, unless the client said less."""
        stream_s = longest_stream(self.context.config)
        if self.timeout < min(stream_s, self._allowed):
            self.timeout = min(stream_s, self._allowed)
            self.limited_by = "GLM_STREAM_TIMEOUT, KIMI_STREAM_TIMEOUT"
        self.deadline.deadline = max(self.deadline.deadline, self.started + self.timeout)

    @property
    def _allowed(self) -> float:
        """Seconds that its client gives it, whatever it does."""
        return self.request.timeout_s or math.inf

    def end(self, why: ExaiError) -> None:
        """Stop the call; its outcome is `why`, unless it has finished already."""
        self.ending = self.ending or why
        self.scope.cancel(reason=str(why))


async def outcome_of(call: Call) -> Outcome:
    """Run the call to its one outcome. Raises nothing but Cancelled, which means that the session ended.

    Whatever happens, its permits are free and its provider's socket is closed when this returns. A call that was ended before
    does not enter its tool.
    """
    answer: Answer | None = None
    error: ExaiError | None = None
    call.deadline = trio.CancelScope(deadline=call.started + call.timeout)
    try:
        with call.scope, call.deadline:
            try:
                await trio.lowlevel.checkpoint_if_cancelled()  # ended while the disk wrote
                async with _Permit(call):
                    answer = await call.tool.run(call.arguments, call, call.environment.services)
            except Exception as raised:  # noqa: BLE001 - the border of a call; logged in _note
                error = _note(call, raised)
    except Exception as raised:  # noqa: BLE001 - what came of ending the tool, beside its Cancelled
        _note(call, raised)
    if answer is not None:
        return _result(call, answer)
    if call.deadline.cancelled_caught:
        error = _too_late(call)
    return failure_of(call, error)


@structs.frozen(eq=False)
class _Permit:
    """One of the daemon's permits, for the length of the context. Waiting for it is a stage that the client hears of."""

    call: Call

    async def __aenter__(self) -> None:
        permits = self.call.environment.permits
        try:
            permits.acquire_nowait()
        except trio.WouldBlock:
            await self._wait(permits)

    async def _wait(self, permits: trio.CapacityLimiter) -> None:
        call = self.call
        call.stage("queued", f"waiting for one of {permits.total_tokens:.0f} places")
        await permits.acquire()
        call.waits.permit = call.elapsed
        call.stage("running", "")

    async def __aexit__(self, *_raised: object) -> None:  # noqa: ASYNC124 - giving back never waits
        self.call.environment.permits.release()


def _note(call: Call, raised: Exception) -> ExaiError:
    error = known_error(raised, call.correlation_id)
    keys = {"tool": call.tool.name, "correlation_id": call.correlation_id, "code": error.code}
    bugs = sum(1 for _ in bugs_in(raised))
    call.context.counters.bugs += bugs
    if isinstance(error, InternalError):
        log.error("call crashed", exc_info=raised, extra=keys)
        return error
    if bugs:
        beside = "bugs beside the fault that the client hears"
        log.error(beside, exc_info=raised, extra=keys | {"bugs": bugs})
    log.info("call failed", extra=keys | {"reason": error.message})
    return error


def _too_late(call: Call) -> ExaiError:
    seconds = call.deadline.deadline - call.started
    return CallTimeoutError(
        f"{call.tool.name} did not finish within {seconds:.4g} s ({call.limited_by}) and was stopped while it was"
        f" {call.doing}. Give it a smaller task or a faster model, or more time: that is {call.limited_by}",
        details={"limit": "call", "timeout_s": call.timeout, "stage": call.doing},
    )


def failure_of(call: Call, error: ExaiError | None = None) -> CallFailed:
    """The outcome of a call that failed with `error`, or was ended."""
    why = error or call.ending or CallCancelled("the call was cancelled")
    fault = as_fault(why, call.correlation_id)
    keys = call.environment.keys
    masked = attrs.evolve(
        fault,
        message=keys.masked(fault.message),
        details=cast("dict[str, Any] | UnsetType", keys.masked_within(fault.details)),
    )
    return CallFailed(request_id=call.wire_id, error=masked)


def _result(call: Call, answer: Answer) -> CallResult:
    text, told = answer.text, answer.metadata
    if call.waits.provider_name:  # no other tool is told anything by who was sent our keys
        keys = call.environment.keys
        text, told = keys.masked(text), cast("dict[str, Any]", keys.masked_within(told))
    metadata = {**told, "latency_metrics": latency_metrics(call)}
    return CallResult(
        request_id=call.wire_id,
        outputs=[Output(text=text, metadata=metadata)],
        usage=UNSET if answer.usage is None else dict(answer.usage),
    )


def latency_metrics(call: Call) -> dict[str, Any]:
    """Milliseconds, as clients of the older system read them."""
    total, waits = call.elapsed, call.waits
    return {
        "latency_ms": round(total * 1000, 3),
        "global_sem_wait_ms": round(waits.permit * 1000, 3),
        "provider_sem_wait_ms": round(waits.provider * 1000, 3),
        "processing_ms": round((total - waits.permit - waits.provider) * 1000, 3),
        "provider_name": waits.provider_name,
    }
