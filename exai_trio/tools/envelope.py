"""The envelope in which simple tools answer: the same object as JSON text and as structured content. Pure."""

from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec

from exai_trio import structs
from exai_trio.tools.base import Answer
from exai_trio.tools.statuses import Status

ContentType = Literal["text", "markdown", "json"]


@structs.frozen(kw_only=True)
class Offer:
    """How to go on with a conversation: sent with the answer while exchanges are left."""

    continuation_id: str
    remaining_turns: int

    def as_json(self) -> dict[str, Any]:
        return {
            "continuation_id": self.continuation_id,
            "note": f"To go on, send this continuation_id with the next call of any tool ({self.remaining_turns} left).",
            "remaining_turns": self.remaining_turns,
        }


def simple(
    tool_name: str,
    content: str,
    *,
    content_type: ContentType = "text",
    metadata: Mapping[str, Any] | None = None,
    offer: Offer | None = None,
    usage: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Answer:
    """The answer of a simple tool. Half characters in `content`, which a model may write, become U+FFFD.

    `more` are fields that users of the tool find beside the content. Metadata that says `partial` gives the status of that name.
    """
    facts = {"tool_name": tool_name, "conversation_ready": offer is not None, **(metadata or {})}
    whole = Status.CONTINUATION_AVAILABLE if offer else Status.SUCCESS
    envelope: dict[str, Any] = {
        "status": Status.PARTIAL if facts.get("partial") else whole,
        "content": content,
        "content_type": content_type,
        "metadata": facts,
    }
    if offer:
        envelope["continuation_offer"] = offer.as_json()
    if usage is not None:
        envelope["usage"] = usage
    envelope |= more or {}
    text, envelope = _encoded(envelope)
    return Answer(text=text, structured=envelope, metadata=facts, usage=usage)


def as_json(
    tool_name: str,
    data: object,
    *,
    metadata: Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Answer:
    """The same with plain data as its content."""
    content = msgspec.json.format(msgspec.json.encode(data), indent=1).decode()
    return simple(
        tool_name, content, content_type="json", metadata=metadata, usage=usage, more=more
    )


def _encoded(envelope: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    try:
        return msgspec.json.encode(envelope).decode(), envelope
    except UnicodeEncodeError:
        whole = {**envelope, "content": whole_characters(envelope["content"])}
        return msgspec.json.encode(whole).decode(), whole


def deprecated(text: str, said: str) -> str:
    """An answer of whatever form, in which it is said too that its tool is to be used no more."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        return f"{text}\n\n{said}"
    return msgspec.json.encode({**cast("dict[str, Any]", found), "deprecated": said}).decode()


def whole_characters(text: str) -> str:
    """The text with each half character (lone surrogate) as U+FFFD; pairs of halves become the character they mean."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
