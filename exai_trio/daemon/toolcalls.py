"""What toolcalls.jsonl is told of a call that has ended."""

from exai_trio.observability.toolcalls import ToolCallLine, shortened
from exai_trio.wire.messages import CallFailed

from .calls import Call, Outcome


def line_of(call: Call, outcome: Outcome) -> ToolCallLine:
    error = outcome.error if isinstance(outcome, CallFailed) else None
    return ToolCallLine(
        at=call.shared.now(),
        tool=call.tool.name,
        ok=error is None,
        code=error.code if error else "",
        message=error.message if error else "",
        latency_ms=round(call.elapsed * 1000, 1),
        session_id=call.session_id,
        request_id=call.request_id,
        provider=call.waits.provider_name,
        arguments=shortened(call.request.arguments),
    )
