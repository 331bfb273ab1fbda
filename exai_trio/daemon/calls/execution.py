"""One run of a call: its permit, its tool, its time, and the one outcome that comes of it."""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs
import trio
from msgspec import UNSET, UnsetType

from exai_trio import structs
from exai_trio.errors import CallTimeoutError, ExaiError, InternalError
from exai_trio.observability.events import BugsSeen
from exai_trio.tools.base import Answer
from exai_trio.tools.envelope import deprecated
from exai_trio.wire.messages import CallFailed, CallResult, Outcome, Output

from ..delivery.wire_errors import as_fault, bugs_in, known_error
from .call import Call

log = logging.getLogger("exai.calls")

Work = Callable[[Call], Awaitable[Outcome]]


async def outcome_of(call: Call, work: Work) -> Outcome:
    """What comes of `work`, if the call is not ended before. Raises nothing but Cancelled, which means that the daemon is cut.

    Whatever happens, its permits are free and its provider's socket is closed when this returns. A call that was ended before
    does not enter its tool.
    """
    outcome: Outcome | None = None
    error: ExaiError | None = None
    try:
        with call.scope:
            try:
                await trio.lowlevel.checkpoint_if_cancelled()  # ended while the disk wrote
                outcome = await work(call)
            except Exception as raised:  # noqa: BLE001 - the border of a call; logged in note_fault
                error = note_fault(call, raised)
    except Exception as raised:  # noqa: BLE001 - what came of ending the tool, beside its Cancelled
        note_fault(call, raised)
    return outcome or failure_of(call, error)


async def run_tool(call: Call) -> Outcome:
    """What the tool answers, if it does in time: else the call's scope ends it. Raises what the tool raises. Cancelled, its permit is
    free."""
    call.scope.deadline = call.started + call.timeout
    async with _Permit(call):
        answer = await call.tool.run(call.arguments, call, call.environment.services)
    call.scope.deadline = math.inf
    return _result(call, answer)


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
        began = call.elapsed
        await permits.acquire()
        call.waits.permit = call.elapsed - began
        call.waits.waited("daemon permit", began, call.elapsed)
        call.stage("running", "")

    async def __aexit__(self, *_raised: object) -> None:
        self.call.environment.permits.release()


def note_fault(call: Call, raised: Exception) -> ExaiError:
    error = known_error(raised, call.correlation_id)
    keys = {"tool": call.tool.name, "correlation_id": call.correlation_id, "code": error.code}
    bugs = sum(1 for _ in bugs_in(raised))
    if bugs:
        call.context.events.publish(BugsSeen(count=bugs))
    if isinstance(error, InternalError):
        log.error("call crashed", exc_info=raised, extra=keys)
        return error
    if bugs:
        beside = "bugs beside the fault that the client hears"
        log.error(beside, exc_info=raised, extra=keys | {"bugs": bugs})
    log.info("call failed", extra=keys | {"reason": error.message})
    return error


def _too_late(call: Call) -> ExaiError:
    seconds = call.scope.deadline - call.started
    return CallTimeoutError(
        f"{call.tool.name} did not finish within {seconds:.4g} s ({call.limited_by}) and was stopped while it was"
        f" {call.doing}. Give it a smaller task or a faster model, or more time: that is {call.limited_by}",
        details={"limit": "call", "timeout_s": call.timeout, "stage": call.doing},
    )


def failure_of(call: Call, error: ExaiError | None = None) -> CallFailed:
    """The outcome of a call that failed with `error`, or was ended; by whoever did not say why, it was its time."""
    why = error or call.ending or _too_late(call)
    fault = as_fault(why, call.correlation_id)
    keys = call.environment.keys
    masked = attrs.evolve(
        fault,
        message=keys.masked(fault.message),
        details=cast("dict[str, Any] | UnsetType", keys.masked_within(fault.details)),
    )
    return CallFailed(request_id=call.wire_id, error=masked)


def _usage(call: Call, answer: Answer) -> dict[str, Any] | UnsetType:
    """What the answer has cost, and what is left of the day where that is limited."""
    quotas = call.environment.quotas
    left = None
    if quotas is not None and quotas.concerns(call.principal):
        spent = call.waits.spent
        used = (spent.input_tokens or 0) + (spent.output_tokens or 0)
        left = quotas.tokens_left(call.principal, used)
    if answer.usage is None and left is None:
        return UNSET
    return dict(answer.usage or {}) | ({} if left is None else {"tokens_left_today": left})


def _result(call: Call, answer: Answer) -> CallResult:
    text, told = answer.text, answer.metadata
    if call.waits.provider_name:  # no other tool is told anything by who was sent our keys
        keys = call.environment.keys
        text, told = keys.masked(text), cast("dict[str, Any]", keys.masked_within(told))
    metadata = {**told, "latency_metrics": call.latency_metrics()}
    if call.tool.deprecated:
        said = call.tool.deprecated.said_of(call.tool.name)
        text, metadata = deprecated(text, said), {**metadata, "deprecated": said}
    return CallResult(
        request_id=call.wire_id,
        outputs=[Output(text=text, metadata=metadata)],
        usage=_usage(call, answer),
    )
