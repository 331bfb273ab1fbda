"""What a client hears of a tool that is to be used no more."""

import json

import attrs

from exai_trio.tools.base import Deprecation
from exai_trio.tools.diagnostics import test_echo
from exai_trio.wire.messages import CallResult, CallTool


async def test_an_answer_of_a_deprecated_tool_says_what_to_use(house, autojump_clock):
    """In its text, which agents read, and in its metadata, which programs do; it works as before."""
    gone = Deprecation(since="2.1", instead="chat")
    old = attrs.evolve(test_echo.TOOL, name="old", deprecated=gone)
    async with house(tools=(old,)) as daemon, daemon.connect() as (client, _):
        await client.say(CallTool(request_id="r1", name="old", arguments={"prompt": "hello"}))
        (output,) = (await client.hear_until(CallResult)).outputs

    said = "old is deprecated since 2.1: use chat instead."
    answer = json.loads(output.text)
    assert ("hello", said, said) == (
        answer["content"], answer["deprecated"], output.metadata["deprecated"],
    )  # fmt: skip
