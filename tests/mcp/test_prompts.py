"""One prompt for each tool, in both eras, checked with the official types."""

import json

import pytest

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.server import ToolListWanted
from exai_trio.mcp.tool_list import listing_of

STEPWISE = {
    "name": "debug",
    "description": "finds causes",
    "inputSchema": {
        "type": "object",
        "properties": {
            "step": {"type": "string", "description": "What to look into"},
            "step_number": {"type": "integer"},
            "findings": {"type": "string"},
            "mode": {"type": "string", "enum": ["a", "b"]},
            "model": {"type": "string"},
        },
        "required": ["step", "step_number", "findings", "mode"],
    },
}


def test_every_listed_tool_has_a_prompt(talk, listing):
    """The same names in the same order, in every version; the same bytes each time."""
    listed = talk.valid("prompts/list", talk.ask("prompts/list"))["prompts"]
    again = talk.ask("prompts/list")["result"]["prompts"]

    assert [tool["name"] for tool in json.loads(bytes(listing.tools))] == [
        p["name"] for p in listed
    ]
    assert listed == again


def test_a_prompt_is_filled_in(talk):
    """What was given stands in it, and what tool to use."""
    answer = talk.ask("prompts/get", name="chat", arguments={"prompt": "why?", "model": "glm-4.6"})
    (message,) = talk.valid("prompts/get", answer)["messages"]
    text = message["content"]["text"]

    assert "`chat`" in text
    assert text.endswith("prompt: why?\nmodel: glm-4.6")


def test_the_agents_own_arguments_are_left_to_it(make_talk):
    """A person is not asked for step numbers and findings."""
    talk = make_talk("2025-11-25", listing_of([STEPWISE]))
    (prompt,) = talk.ask("prompts/list")["result"]["prompts"]
    filled = talk.ask("prompts/get", name="debug", arguments={"step": "it hangs", "mode": "a"})

    assert [("step", True), ("mode", True), ("model", False)] == [
        (argument["name"], argument["required"]) for argument in prompt["arguments"]
    ]
    assert "step_number 1" in filled["result"]["messages"][0]["content"]["text"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": "nothing"},
        {"name": ["chat"]},
        {"name": "chat"},
        {"name": "chat", "arguments": {"prompt": " "}},
        {"name": "chat", "arguments": {"prompt": 3}},
        {"name": "chat", "arguments": ["x"]},
        {"name": "chat", "arguments": {"prompt": "x", "colour": "red"}},
    ],
)
def test_what_fills_no_prompt_is_refused(talk, params):
    """Unknown names, missing, unknown and misshapen arguments are -32602."""
    assert jsonrpc.INVALID_PARAMS == talk.ask("prompts/get", **params)["error"]["code"]


def test_prompts_wait_for_the_first_listing(make_talk, listing):
    """They are made from it; whoever asked before hears then."""
    talk = make_talk("2025-11-25", None)
    effects = talk.effects("prompts/list")
    talk.server.offer(listing)
    (line,) = talk.lines

    assert [ToolListWanted()] == effects
    assert json.loads(line)["result"]["prompts"]
