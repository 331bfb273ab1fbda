"""Messages as the services' own JSON has them: what a caller gives becomes a request, or is refused with its place."""

import pytest

from exai_trio.errors import ArgumentError
from exai_trio.providers.base import Image, Message, ToolCall
from exai_trio.tools.vendor.raw_messages import messages, tool_choice

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
CALL = {"id": "c1", "function": {"name": "look", "arguments": {"at": 1}}}
TAKEN = [
    ("why?", Message(role="user", text="why?")),
    ({"content": "why?"}, Message(role="user", text="why?")),
    (
        {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, IMAGE]},
        Message(role="user", text="a\nb", images=(Image(url="data:image/png;base64,AA=="),)),
    ),
    (
        {"role": "assistant", "reasoning_content": "so", "tool_calls": [CALL]},
        Message(
            role="assistant", reasoning="so", text="",
            tool_calls=(ToolCall(id="c1", name="look", arguments='{"at":1}', type="function"),),
        ),
    ),
    (
        {"role": "tool", "content": "seen", "tool_call_id": "c1"},
        Message(role="tool", text="seen", tool_call_id="c1"),
    ),
]  # fmt: skip
REFUSED = [
    (3, "is neither a text nor an object"),
    ({"role": "king", "content": "x"}, "has no role among"),
    (" ", "has no content"),
    ({"content": [{"type": "sound"}]}, "has a part that is neither text nor image_url"),
    ({"content": {"type": "image_url", "image_url": "x"}}, "has an image that is no data: URL"),
    ({"role": "assistant", "tool_calls": [{"id": "c1"}]}, "has a tool call without id or function"),
    ({"role": "tool", "content": "x"}, "is a tool's and has no tool_call_id"),
]


@pytest.mark.parametrize(("given", "message"), TAKEN)
def test_a_message_is_taken_as_it_is_meant(given, message):
    assert (message,) == messages([given])


@pytest.mark.parametrize(("given", "why"), REFUSED)
def test_a_message_that_cannot_be_meant_is_refused_with_its_place(given, why):
    with pytest.raises(ArgumentError, match=f"message 2 {why}"):
        messages(["x", given])


def test_a_choice_is_a_word_or_the_name_of_a_function():
    named = {"type": "function", "function": {"name": "look"}}
    assert [None, "auto", named] == [tool_choice(given) for given in ("", "auto", "look")]
