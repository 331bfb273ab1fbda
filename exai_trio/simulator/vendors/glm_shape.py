"""How GLM writes an answer: one object, or chunks that repeat the role, with usage in the last one. Pure: no trio, no clock, no I/O."""

from collections.abc import Iterator
from typing import Any

from ..chat.model_answer import Answer
from ..chat.prompt import Prompt
from ..faults import Fault
from ..json_fields import a_text, an_object
from .call_shape import call_pieces, whole_call, whole_message


def glm_usage(answer: Answer) -> dict[str, Any]:
    """Usage with `cached_tokens` always there, 0 when nothing was cached."""
    used = answer.usage
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.completion,
        "total_tokens": used.prompt + used.completion,
        "prompt_tokens_details": {"cached_tokens": used.cached},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }


def _head(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "created": answer.created,
        "model": answer.model,
        "request_id": answer.request_id,
    }


def glm_body(answer: Answer, fault: Fault) -> dict[str, Any]:
    """The answer to a request that did not ask for a stream."""
    choice = {"index": 0, "message": whole_message(answer, fault), "finish_reason": answer.finish}
    body = {**_head(answer), "choices": [] if fault.no_choices else [choice]}
    if fault.usage != "none":
        body["usage"] = glm_usage(answer)
    return body | _found(answer)


def _found(answer: Answer) -> dict[str, Any]:
    return {"web_search": list(answer.web_results)} if answer.web_results else {}


def glm_chunks(answer: Answer, prompt: Prompt, fault: Fault) -> Iterator[dict[str, Any]]:
    """The events of a stream, `[DONE]` not among them."""
    first = _searched_before(prompt)
    for number, delta in enumerate(_deltas(answer, prompt, fault)):
        chunk = _chunk(answer, {"role": "assistant", **delta})
        yield chunk | _found(answer) if first and number == 0 else chunk
    last = _chunk(answer, {"role": "assistant", "content": ""})
    last["choices"][0]["finish_reason"] = answer.finish
    if fault.usage == "choice":
        last["choices"][0]["usage"] = glm_usage(answer)
    elif fault.usage == "own":
        last["usage"] = glm_usage(answer)
    if fault.no_choices:
        last["choices"] = []
    yield last if first else last | _found(answer)


def _searched_before(prompt: Prompt) -> bool:
    searches = (an_object(tool.get("web_search")) for tool in prompt.tools)
    return any(a_text(search.get("result_sequence")) == "before" for search in searches)


def _chunk(answer: Answer, delta: dict[str, Any]) -> dict[str, Any]:
    return {**_head(answer), "choices": [{"index": 0, "delta": delta}]}


def _deltas(answer: Answer, prompt: Prompt, fault: Fault) -> Iterator[dict[str, Any]]:
    if fault.no_choices:
        return
    for piece in answer.reasoning:
        yield {"reasoning_content": piece}
    for piece in answer.text:
        yield {"content": piece}
    # Without tool_stream a call comes whole, in one chunk.
    piecewise = prompt.body.get("tool_stream") is True and not fault.object_arguments
    for number, call in enumerate(answer.calls):
        if piecewise:
            yield from ({"tool_calls": [piece]} for piece in call_pieces(number, call))
        else:
            yield {"tool_calls": [whole_call(number, call, fault)]}
