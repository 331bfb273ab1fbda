"""What is noted of a call: in the figures, in toolcalls.jsonl and the metrics file when it has ended, and in each line of the log."""

from exai_trio.observability import logs as signature
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
