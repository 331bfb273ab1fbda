"""Calls and what a session says of them."""

import msgspec

from exai_trio.wire.codec import encode
from exai_trio.wire.messages import CallAccepted, CallFailed, CallResult, CallTool, Fault, Output
from exai_trio.wire.session_rules import Survivor


def call(request_id="r1", **arguments):
    return CallTool(request_id=request_id, name="chat", arguments=arguments)


def accepted(request_id="r1"):
    return CallAccepted(request_id=request_id, name="chat", timeout=60.0)


def result(request_id="r1", text="done"):
    return CallResult(request_id=request_id, outputs=[Output(text=text)])


def refusal(request_id="r1"):
    fault = Fault(
        code="STORAGE", category="storage", message="Full.", retryable=True, correlation_id="c"
    )
    return CallFailed(request_id=request_id, error=fault)


def ended(rules, *request_ids):
    """Calls from their beginning to their outcome, one after the other. Returns the outcomes' frames."""
    frames = []
    for request_id in request_ids:
        rules.submit(call(request_id))
        rules.accept(request_id, accepted(request_id))
        frames.append(rules.finish(request_id, result(request_id)).frame)
    return frames


def survivor(request_id="r1", *, first=1, finished=True):
    """A call of an earlier daemon: accepted under the number `first`, and its outcome under the next."""
    return Survivor(
        call=call(request_id),
        accepted=encode(accepted(request_id)),
        accepted_seq=first,
        outcome=encode(result(request_id)) if finished else None,
        outcome_seq=first + 1 if finished else 0,
    )


def seq(frame):
    return msgspec.json.decode(frame).get("seq")
