"""What is noted of a call: in the figures, in toolcalls.jsonl, the metrics file and the store when it has ended, and in each line of the log."""

from exai_trio.observability import logs as signature
from exai_trio.observability.events import CallEnded
from exai_trio.observability.metrics import CallLine
from exai_trio.observability.owned_lines import written
from exai_trio.observability.toolcalls import ToolCallLine, shortened
from exai_trio.principals import OWNER
from exai_trio.wire.messages import CallFailed, Outcome

from .call import Call


def count(call: Call, outcome: Outcome) -> None:
    code = outcome.error.code if isinstance(outcome, CallFailed) else ""
    logs, now = call.environment.logs, call.context.clock.now()
    call.context.counters.count(code)
    call.environment.ended(event_of(call, outcome))
    logs.toolcalls.add_made(lambda: line_of(call, outcome, now))
    logs.metrics.add(
        CallLine(
            t=round(now, 3),
            op="call_tool",
            lat=round(call.elapsed, 6),
            sess=call.session_id,
            principal=written(call.principal),
            name=call.tool.name,
            prov=call.waits.provider_name,
            ok=not code,
            code=code,
        )
    )


def event_of(call: Call, outcome: Outcome) -> CallEnded:
    error = outcome.error if isinstance(outcome, CallFailed) else None
    waits = call.waits
    spent, first = waits.spent, waits.first_chunk
    return CallEnded(
        id=call.call_id,
        correlation_id=call.correlation_id,
        session=call.session_id,
        tool=call.tool.name,
        principal=call.principal,
        project=str(call.roots[0]) if call.roots else "",
        provider=waits.provider_name,
        model=spent.model if spent else "",
        code=error.code if error else "",
        category=error.category if error else "",
        attempt=call.attempt,
        started_at=call.accepted_at,
        duration_ms=_ms(call.elapsed),
        permit_wait_ms=_ms(waits.permit),
        provider_wait_ms=_ms(waits.provider),
        with_provider_ms=_ms(waits.with_provider),
        first_chunk_ms=None if first is None else _ms(first),
        requests=len(waits.exchanges),
        input_tokens=spent.input_tokens if spent else None,
        cached_tokens=spent.cached_tokens if spent else None,
        output_tokens=spent.output_tokens if spent else None,
        reasoning_tokens=spent.reasoning_tokens if spent else None,
        cost=spent.cost if spent else None,
        currency=spent.currency if spent else "",
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def line_of(call: Call, outcome: Outcome, at: float) -> ToolCallLine:
    error = outcome.error if isinstance(outcome, CallFailed) else None
    return ToolCallLine(
        at=at,
        tool=call.tool.name,
        ok=error is None,
        code=error.code if error else "",
        message=error.message if error else "",
        latency_ms=round(call.elapsed * 1000, 1),
        session_id=call.session_id,
        request_id=call.request_id,
        provider=call.waits.provider_name,
        principal=written(call.principal),
        arguments=shortened(call.request.arguments),
    )


def sign_logs(call: Call) -> None:
    """What this task logs from now on says whose it is."""
    signature.principal.set("" if call.principal == OWNER else written(call.principal))
    signature.session_id.set(call.session_id)
    signature.request_id.set(call.request_id)
    signature.correlation_id.set(call.correlation_id)
