"""How an answer and its tool calls are written, whole or in pieces: the same for both services. Pure: no trio, no clock, no I/O."""

import json
from collections.abc import Iterator
from typing import Any

from ..chat.model_answer import Answer
from ..chat.prompt import Called
from ..faults import Fault

PIECE = 8  # characters of arguments in one event


def whole_call(number: int, call: Called, fault: Fault) -> dict[str, Any]:
    """The call at once; with `object_arguments` the arguments are no text but the object itself."""
    arguments = _parsed(call.arguments) if fault.object_arguments else call.arguments
    function = {"name": call.name, "arguments": arguments}
    return {"index": number, "id": call.id, "type": call.type, "function": function}


def whole_message(answer: Answer, fault: Fault) -> dict[str, Any]:
    """The message of an answer that is no stream."""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.text)}
    if answer.reasoning:
        message["reasoning_content"] = "".join(answer.reasoning)
    if answer.calls:
        message["tool_calls"] = [whole_call(n, call, fault) for n, call in enumerate(answer.calls)]
    return message


def call_pieces(number: int, call: Called) -> Iterator[dict[str, Any]]:
    """Id and name first, then the arguments, piece by piece; the index holds them together."""
    opening = {"name": call.name, "arguments": ""}
    yield {"index": number, "id": call.id, "type": call.type, "function": opening}
    for start in range(0, len(call.arguments), PIECE):
        piece = {"arguments": call.arguments[start : start + PIECE]}
        yield {"index": number, "function": piece}


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
