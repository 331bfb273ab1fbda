"""Our messages in the JSON of the OpenAI-compatible services. Pure. What only one service wants is in its dialect."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..base import ChatRequest, Message, ToolCall
from ..catalogue import ModelInfo

_LONE_SURROGATES: Final = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_SAFE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{6,64}")


def messages_json(messages: tuple[Message, ...], *, whole: bool = False) -> list[dict[str, Any]]:
    """In the order given: the prefix must not change from turn to turn, or the service's prompt cache is lost.

    `whole`: give the assistant's earlier thinking back, and name the tool that a tool message is from.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    return [_message_json(message, names, whole=whole) for message in messages]


def output_limit(request: ChatRequest, model: ModelInfo) -> int | None:
    """How many tokens to ask for at most: the caller's wish within the model's limit, else the model's default."""
    wanted = request.max_output_tokens or model.output_default
    if wanted is None or model.output_limit is None:
        return wanted
    return min(wanted, model.output_limit)


def request_id(request: ChatRequest) -> str:
    """The request's id in letters that every service takes, new after the service has called it a duplicate."""
    key = safe_id(request.idempotency_key)
    return f"{key}.{request.renumbered}" if key and request.renumbered else key


def safe_id(key: str) -> str:
    """The key itself if it can stand in a header and in a vendor's id field, else a hash of it: same key, same id."""
    if not key or _SAFE_ID.fullmatch(key):
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _message_json(message: Message, names: dict[str, str], *, whole: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": _content_json(message)}
    if whole and message.reasoning:
        said["reasoning_content"] = message.reasoning
    if message.tool_calls:
        said["tool_calls"] = [_tool_call_json(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
        if whole and message.tool_call_id in names:
            said["name"] = names[message.tool_call_id]
    return said


def _content_json(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.text
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": image.url}} for image in message.images
    ]
    return [*parts, {"type": "text", "text": message.text}] if message.text else parts


def _tool_call_json(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": call.type,
        "function": {"name": call.name, "arguments": call.arguments},
    }


def encoded(body: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8. Lone surrogates, which UTF-8 cannot hold, become U+FFFD."""
    try:
        return msgspec.json.encode(body, enc_hook=dict)
    except UnicodeEncodeError:
        return (
            json.dumps(body, ensure_ascii=False, default=dict).translate(_LONE_SURROGATES).encode()
        )
