"""What is noted of a call: the event of its end, its line in toolcalls.jsonl, and whose the lines of the log are that it writes."""

from exai_trio.observability import logs as signature
from exai_trio.observability.events import CallEnded
from exai_trio.observability.owned_lines import written
from exai_trio.observability.times import milliseconds
from exai_trio.observability.toolcalls import ToolCallLine, shortened
from exai_trio.principals import OWNER
from exai_trio.wire.messages import CallFailed, Outcome

from .call import Call


def publish_end(call: Call, outcome: Outcome) -> None:
    ended = event_of(call, outcome)
    call.context.events.publish(ended)
    call.environment.toolcalls.add_made(lambda: _line_of(call, ended, outcome))


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
        project=call.project,
        provider=waits.provider_name,
        model=spent.model,
        code=error.code if error else "",
        category=error.category if error else "",
        attempt=call.attempt,
        started_at=call.accepted_at,
        duration_ms=milliseconds(call.elapsed),
        permit_wait_ms=milliseconds(waits.permit),
        provider_wait_ms=milliseconds(waits.provider),
        with_provider_ms=milliseconds(waits.with_provider),
        first_chunk_ms=None if first is None else milliseconds(first),
        requests=len(waits.requests),
        input_tokens=spent.input_tokens,
        cached_tokens=spent.cached_tokens,
        output_tokens=spent.output_tokens,
        reasoning_tokens=spent.reasoning_tokens,
        cost=spent.cost,
        currency=spent.currency,
        journal_wait_ms=None if waits.journal is None else milliseconds(waits.journal),
        spans=waits.all_spans(),
    )


def _line_of(call: Call, ended: CallEnded, outcome: Outcome) -> ToolCallLine:
    return ToolCallLine(
        at=call.context.clock.now(),
        ended=ended,
        message=outcome.error.message if isinstance(outcome, CallFailed) else "",
        request_id=call.request_id,
        arguments=shortened(call.request.arguments),
    )


def sign_logs(call: Call) -> None:
    """What this task logs from now on says whose it is."""
    signature.principal.set("" if call.principal == OWNER else written(call.principal))
    signature.session_id.set(call.session_id)
    signature.request_id.set(call.request_id)
    signature.correlation_id.set(call.correlation_id)
