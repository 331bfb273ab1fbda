"""EXAI outcomes as MCP tool results. Pure: no trio, no clock, no I/O."""

from typing import Any, Final

import attrs
import msgspec

from exai_trio.mcp.versions import Dialect, Result
from exai_trio.wire.messages import ANSWER_NOT_KEPT, ANSWER_TOO_LARGE, CallResult, Fault

_NOT_RUN: Final = frozenset({
    "INVALID_REQUEST", "VALIDATION_ERROR", "UNAUTHORIZED", "NOT_FOUND", "TOOL_NOT_FOUND", "OVER_CAPACITY",
    "SERVICE_UNAVAILABLE", "PROTOCOL_ERROR",
})  # fmt: skip
EARLIER: Final = "An earlier daemon may have run the call."
_MAY_HAVE_RUN: Final = frozenset({"INTERRUPTED", "INTERNAL_ERROR"})
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def success(outcome: CallResult, dialect: Dialect) -> Result:
    """The result of a call that did its work. An answer that is a JSON object is also given as structured content, whatever
    the list says at the moment: the client may know the tool's output schema from an earlier or a later one."""
    result: Result = {
        "content": [{"type": "text", "text": output.text} for output in outcome.outputs],
        "isError": False,
    }
    if dialect.structured and outcome.outputs:
        found = _object(outcome.outputs[0].text)
        if found is not None:
            result["structuredContent"] = found
    meta = _facts(outcome)
    if meta:
        result["_meta"] = meta
    return dialect.result(result)


def _object(text: str) -> msgspec.Raw | None:
    try:
        _fields.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # audit: empty-handler, because None is the answer: no object
        return None
    return msgspec.Raw(text)


def _facts(outcome: CallResult) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if outcome.outputs and outcome.outputs[0].metadata:
        facts["exai/metadata"] = outcome.outputs[0].metadata
    if outcome.usage:
        facts["exai/usage"] = outcome.usage
    return facts


def failure(name: str, fault: Fault, dialect: Dialect, ran: str | None = None) -> Result:
    """The result of a call that failed: what happened, whether it ran, what to do; the details are for programs."""
    parts = [_sentence(f"{name} failed ({fault.code}): {fault.message}"), ran or _ran(fault)]
    advice = _advice(fault)
    if advice:
        parts.append(advice)
    return dialect.result(
        {
            "content": [{"type": "text", "text": " ".join(parts)}],
            "isError": True,
            "_meta": {"exai/error": msgspec.to_builtins(fault)},
        }
    )


def _sentence(text: str) -> str:
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _ran(fault: Fault) -> str:
    code = fault.code
    if fault.details and fault.details.get("reason") in {ANSWER_TOO_LARGE, ANSWER_NOT_KEPT}:
        return "The call ran."
    if code in _NOT_RUN:
        return "The call did not run."
    if code in _MAY_HAVE_RUN:
        return "The call may have run."
    return "The call ran and gave no answer."


def ran_earlier(code: str, sent: int) -> str | None:
    """Of a call that was sent more than once the last refusal does not tell the whole."""
    return EARLIER if sent > 1 and code in _NOT_RUN else None


def _advice(fault: Fault) -> str:
    if not fault.retryable:
        return ""
    if isinstance(fault.retry_after_s, float | int):
        return f"Try again in {fault.retry_after_s:.0f} s."
    return "Trying again may help."


def local_fault(
    code: str, message: str, category: str, *, retryable: bool, **details: object
) -> Fault:
    """A fault that the shim itself found; no daemon's log knows it."""
    return Fault(
        code=code,
        message=message,
        category=category,
        retryable=retryable,
        correlation_id="shim",
        details={"origin": "shim", **details},
    )


def too_large(size: int) -> Fault:
    """Arguments that no message holds."""
    why = f"the arguments are {size} bytes, too large for one message; name files instead of quoting them"
    return local_fault("OVER_CAPACITY", why, "capacity", retryable=False)


def too_many(waiting: int, most: int) -> Fault:
    """More calls than this client may have open, or more of their arguments than are held."""
    why = f"{waiting} calls of this client wait for an answer; wait for some of them"
    fault = local_fault("OVER_CAPACITY", why, "capacity", retryable=True, max_open=most)
    # audit: duration, because it is a hint to the client, who decides
    return attrs.evolve(fault, retry_after_s=1.0)
