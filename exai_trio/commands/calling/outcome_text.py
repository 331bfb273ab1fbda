"""What an outcome says to somebody at a shell: the content, what it cost, how to go on, or why it failed. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from msgspec import UNSET

from exai_trio import structs
from exai_trio.wire.messages import CallResult, Fault


@structs.frozen(kw_only=True)
class Told:
    """`content` is what the tool has to say; `envelope` is what it came in, if in any."""

    content: str
    envelope: Mapping[str, Any]
    metadata: Mapping[str, Any]
    usage: Mapping[str, Any]

    @property
    def continuation_id(self) -> str:
        offer: object = self.envelope.get("continuation_offer")
        found = cast("dict[str, Any]", offer) if isinstance(offer, dict) else {}
        return str(found.get("continuation_id", ""))

    @property
    def model(self) -> str:
        return str(self.metadata.get("model_used", ""))


def told(outcome: CallResult) -> Told:
    text = "".join(output.text for output in outcome.outputs)
    envelope = _envelope(text)
    return Told(
        content=str(envelope["content"]) if envelope else text,
        envelope=envelope,
        metadata={
            **(envelope.get("metadata") or {}),
            **(outcome.outputs[0].metadata or {} if outcome.outputs else {}),
        },
        usage={} if outcome.usage is UNSET else outcome.usage,
    )


def _envelope(text: str) -> dict[str, Any]:
    """What a simple tool wraps around its answer, if it does."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        # audit: empty-handler, because text that is no JSON has no envelope
        return {}
    fields = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return fields if isinstance(fields.get("content"), str) and "status" in fields else {}


def notices(answer: Told) -> Iterator[str]:
    """What is to be known before one believes the answer."""
    if answer.metadata.get("simulated"):
        yield "— simulated: no model was asked"
    if notice := answer.metadata.get("notice"):
        yield f"— {notice}"


def summary(answer: Told, seconds: float, width: int, *, how: str) -> str:
    """Model, tokens, cost and seconds, as far as they are known, and how to go on: on one line, if that holds it."""
    usage = answer.usage
    cost = usage.get("cost_usd")
    parts = [
        answer.model,
        f"{usage.get('input_tokens', 0):,} + {usage.get('output_tokens', 0):,} tokens"
        if usage
        else "",
        "" if cost is None else f"{cost:.4f} USD",
        f"{seconds:.1f} s",
    ]
    facts = "— " + " · ".join(part for part in parts if part)
    if not answer.continuation_id:
        return facts
    line = f"{facts} · go on: {how}"
    return line if len(line) <= width else f"{facts}\n— go on: {how}"


def flat(answer: Told, seconds: float) -> dict[str, Any]:
    """An answer as one object without others in it."""
    usage, metadata = answer.usage, answer.metadata
    return {
        "ok": True,
        "answer": answer.content,
        "model": answer.model or None,
        "provider": metadata.get("provider_used"),
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "cost_usd": usage.get("cost_usd"),
        "seconds": round(seconds, 3),
        "continuation_id": answer.continuation_id or None,
        "partial": bool(metadata.get("partial")),
        "simulated": bool(metadata.get("simulated")),
        "notice": metadata.get("notice"),
    }


def flat_failure(error: Fault, seconds: float) -> dict[str, Any]:
    return {
        "ok": False,
        "error": error.message,
        "code": error.code,
        "retryable": error.retryable,
        "retry_after_s": None if error.retry_after_s is UNSET else error.retry_after_s,
        "correlation_id": error.correlation_id,
        "seconds": round(seconds, 3),
    }


def failure(tool: str, error: Fault) -> str:
    lines = [f"exai: {tool}: {error.code}: {error.message}"]
    if error.retryable:
        after = error.retry_after_s
        when = "" if after is UNSET else f" in {after:g} s"
        lines.append(f"      trying again{when} may help")
    if error.correlation_id:
        lines.append(f"      more of it: exai logs {error.correlation_id}")
    return "\n".join(lines)
