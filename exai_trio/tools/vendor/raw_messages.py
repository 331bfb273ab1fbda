"""Messages, tools and tool_choice as the services' own JSON has them, from a caller to a request. Pure."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast, get_args

import msgspec
from msgspec import Meta

from exai_trio.errors import ArgumentError
from exai_trio.providers.base import Image, Message, Role, ToolCall

_CHOICES = frozenset({"auto", "none", "required"})
# A field is named so that a text which happens to be some other JSON stays the user's text.
RawMessage = Annotated[
    Any,
    Meta(
        extra_json_schema={
            "type": "object",
            "properties": {"role": {"type": "string"}},
        }
    ),
]


def messages(given: Sequence[Any]) -> tuple[Message, ...]:
    """A text alone is the user's. Raises: ArgumentError naming the place."""
    return tuple(_message(each, number) for number, each in enumerate(given, start=1))


def tool_choice(given: str) -> Any:
    """One of the words, or the name of a function. None for nothing."""
    if not given or given in _CHOICES:
        return given or None
    return {"type": "function", "function": {"name": given}}


def _message(given: Any, number: int) -> Message:
    if isinstance(given, str):
        given = {"role": "user", "content": given}
    if not isinstance(given, dict):
        raise _refusal(number, "is neither a text nor an object")
    said = cast("dict[str, Any]", given)
    role = said.get("role", "user")
    if role not in get_args(Role):
        raise _refusal(number, f"has no role among {', '.join(get_args(Role))}")
    text, images = _content(said.get("content"), number)
    calls = _calls(said.get("tool_calls"), number)
    if not (text.strip() or images or calls):
        raise _refusal(number, "has no content")
    call_id = said.get("tool_call_id")
    if role == "tool" and not isinstance(call_id, str):
        raise _refusal(number, "is a tool's and has no tool_call_id")
    return Message(
        role=role,
        text=text,
        images=images,
        reasoning=_text(said.get("reasoning_content")),
        tool_calls=calls,
        tool_call_id=call_id if role == "tool" else None,
    )


def _content(given: object, number: int) -> tuple[str, tuple[Image, ...]]:
    if given is None or isinstance(given, str):
        return given or "", ()
    texts: list[str] = []
    images: list[Image] = []
    for part in _items(given):
        fields = _object(part)
        if fields.get("type") == "image_url":
            images.append(Image(url=_text(_object(fields.get("image_url")).get("url"))))
        elif fields.get("type") == "text":
            texts.append(_text(fields.get("text")))
        else:
            raise _refusal(number, "has a part that is neither text nor image_url")
    if any(not image.url.startswith("data:") for image in images):
        raise _refusal(number, "has an image that is no data: URL")
    return "\n".join(texts), tuple(images)


def _calls(given: object, number: int) -> tuple[ToolCall, ...]:
    if given is None:
        return ()
    calls: list[ToolCall] = []
    for each in _items(given):
        call, function = _object(each), _object(_object(each).get("function"))
        if not (_text(call.get("id")) and _text(function.get("name"))):
            raise _refusal(number, "has a tool call without id or function name")
        calls.append(
            ToolCall(
                id=_text(call["id"]),
                name=_text(function["name"]),
                arguments=_arguments(function.get("arguments")),
                type=_text(call.get("type")) or "function",
            )
        )
    return tuple(calls)


def _arguments(given: object) -> str:
    return given if isinstance(given, str) else msgspec.json.encode(given or {}).decode()


def _items(given: object) -> list[object]:
    return cast("list[object]", given) if isinstance(given, list) else [given]


def _object(given: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", given) if isinstance(given, dict) else {}


def _text(given: object) -> str:
    return given if isinstance(given, str) else ""


def _refusal(number: int, what: str) -> ArgumentError:
    return ArgumentError(
        f"messages: message {number} {what}.", details={"field": "messages", "value": number}
    )
