"""How Kimi writes an answer: the role once, a finish chunk, then a chunk of its own for usage. Pure: no trio, no clock, no I/O."""

from collections.abc import Iterator
from typing import Any

from ..chat.model_answer import Answer
from ..faults import Fault
from .call_shape import call_pieces, whole_call, whole_message

FINGERPRINT = "fpv0_simulated"


def kimi_usage(answer: Answer) -> dict[str, Any]:
    """Usage; nothing about cached tokens when there are none."""
    used = answer.usage
    usage: dict[str, Any] = {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.completion,
        "total_tokens": used.prompt + used.completion,
    }
    if used.cached:
        usage["cached_tokens"] = used.cached
        usage["prompt_tokens_details"] = {"cached_tokens": used.cached}
    return usage


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "system_fingerprint": FINGERPRINT,
    }


def kimi_body(answer: Answer, fault: Fault) -> dict[str, Any]:
    """The answer to a request that did not ask for a stream."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": whole_message(answer, fault),
        "finish_reason": answer.finish,
    }
    body = {**_head(answer, "chat.completion"), "choices": [] if fault.no_choices else [choice]}
    if fault.usage == "choice":
        choice["usage"] = kimi_usage(answer)
    elif fault.usage == "own":
        body["usage"] = kimi_usage(answer)
    return body


def kimi_chunks(answer: Answer, fault: Fault) -> Iterator[dict[str, Any]]:
    """The events of a stream, `[DONE]` not among them."""
    if not fault.no_choices:
        yield _chunk(answer, {"role": "assistant", "content": ""})
        for delta in _deltas(answer, fault):
            yield _chunk(answer, delta)
        yield _finish_chunk(answer, fault)
    if fault.usage == "own":
        head = _head(answer, "chat.completion.chunk")
        yield {**head, "choices": [], "usage": kimi_usage(answer)}


def _chunk(answer: Answer, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_head(answer, "chat.completion.chunk"), "choices": [choice]}


def _finish_chunk(answer: Answer, fault: Fault) -> dict[str, Any]:
    chunk = _chunk(answer, {}, answer.finish)
    if fault.usage == "choice":
        chunk["choices"][0]["usage"] = kimi_usage(answer)
    return chunk


def _deltas(answer: Answer, fault: Fault) -> Iterator[dict[str, Any]]:
    for piece in answer.reasoning:
        yield {"reasoning_content": piece}
    for piece in answer.text:
        yield {"content": piece}
    for number, call in enumerate(answer.calls):
        if fault.object_arguments:
            yield {"tool_calls": [whole_call(number, call, fault)]}
        else:
            yield from ({"tool_calls": [piece]} for piece in call_pieces(number, call))
