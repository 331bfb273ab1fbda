"""The three HTTP interfaces by which editors ask their model: how each is read, and how an answer is written. Pure.

Only what an editor needs to go on is written; what it sends beside the conversation is not read.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs

Event = tuple[str, Any]  # its name, "" where the interface has none, and its data


@attrs.frozen
class Heard:
    """The end of the conversation: what the user said, or what a tool gave, and the names of the tools on offer."""

    text: str
    tools: tuple[str, ...]
    from_tool: bool = attrs.field(default=False, kw_only=True)
    failed: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class Reply:
    """A text, or the call of a tool."""

    text: str = ""
    tool: str = ""
    arguments: str = ""


@attrs.frozen
class Dialect:
    hear: Callable[[dict[str, Any]], Heard]
    say: Callable[[Reply, int], Iterator[Event]]


def _names(body: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        tool.get("name") or tool.get("function", {}).get("name", "")
        for tool in body.get("tools") or ()
    )


def _text(content: Any) -> str:
    """Of a text, or of parts that have texts."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or "" for part in content or () if isinstance(part, dict))


def hear_messages(body: dict[str, Any]) -> Heard:
    """Anthropic's /v1/messages: a tool's result stands in the last message, before what the user says next."""
    content = body["messages"][-1]["content"]
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    results = [part for part in parts if part["type"] == "tool_result"]
    texts = _text([part for part in parts if part["type"] == "text"])
    if results and "EXAI-STEP" not in texts:
        last = results[-1]
        failed = bool(last.get("is_error"))
        return Heard(_text(last["content"]), _names(body), from_tool=True, failed=failed)
    return Heard(texts, _names(body))


def say_messages(reply: Reply, number: int) -> Iterator[Event]:
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    block: dict[str, Any] = {"type": "text", "text": ""}
    delta = {"type": "text_delta", "text": reply.text}
    if reply.tool:
        block = {"type": "tool_use", "id": f"toolu_{number:06}", "name": reply.tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": reply.arguments}
    stop = "tool_use" if reply.tool else "end_turn"
    data: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    return ((one["type"], one) for one in data)


def hear_responses(body: dict[str, Any]) -> Heard:
    """OpenAI's /responses: a list of items; Codex puts tools of a server into a namespace."""
    tools: list[str] = []
    for tool in body.get("tools") or ():
        inner = tool.get("tools") or [tool]
        prefix = tool["name"] + "\0" if tool.get("type") == "namespace" else ""
        tools += [prefix + one.get("name", "") for one in inner]
    last = body["input"][-1]
    if last["type"] == "function_call_output":
        output = last["output"]
        failed = _failed(_text(output))
        return Heard(_text(output), tuple(tools), from_tool=True, failed=failed)
    return Heard(_text(last.get("content")), tuple(tools))


def _failed(output: str) -> bool:
    """This interface has no word for a failure: it stands in the text, behind Codex's own head, or as EXAI writes it."""
    return re.search(r'"error":|tool call error|\w+ failed \([A-Z_]+\)', output[:400]) is not None


def say_responses(reply: Reply, number: int) -> Iterator[Event]:
    namespace, _, tool = reply.tool.rpartition("\0")
    item: dict[str, Any] = {
        "type": "message",
        "id": f"msg_{number}",
        "role": "assistant",
        "content": [{"type": "output_text", "text": reply.text, "annotations": []}],
    }
    if tool:
        item = {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{number:06}",
            "name": tool,
            "arguments": reply.arguments,
            **({"namespace": namespace} if namespace else {}),
        }
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    response = {"id": f"resp_{number}", "output": [item], "usage": usage}
    yield "response.created", {"type": "response.created", "response": {"id": f"resp_{number}"}}
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield "response.output_item.done", done
    yield "response.completed", {"type": "response.completed", "response": response}


def hear_chat(body: dict[str, Any]) -> Heard:
    """OpenAI's /chat/completions."""
    last = body["messages"][-1]
    text = _text(last["content"])
    from_tool = last["role"] == "tool"
    return Heard(text, _names(body), from_tool=from_tool, failed=from_tool and _failed(text))


def say_chat(reply: Reply, number: int) -> Iterator[Event]:
    delta: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.tool:
        function = {"name": reply.tool, "arguments": reply.arguments}
        call = {"index": 0, "id": f"call_{number:06}", "type": "function", "function": function}
        delta = {"role": "assistant", "content": None, "tool_calls": [call]}
    chunk = {"id": f"c{number}", "object": "chat.completion.chunk", "created": 1, "model": "s"}
    finish = "tool_calls" if reply.tool else "stop"
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    yield "", {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last = {"index": 0, "delta": {}, "finish_reason": finish}
    yield "", {**chunk, "choices": [last], "usage": usage}
    yield "", "[DONE]"


DIALECTS = {
    "/v1/messages": Dialect(hear_messages, say_messages),
    "/v1/responses": Dialect(hear_responses, say_responses),
    "/v1/chat/completions": Dialect(hear_chat, say_chat),
}


def as_stream(events: Iterator[Event]) -> bytes:
    """Server-sent events."""
    lines: list[str] = []
    for name, data in events:
        lines += [f"event: {name}\n"] if name else []
        lines += [f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"]
    return "".join(lines).encode()
