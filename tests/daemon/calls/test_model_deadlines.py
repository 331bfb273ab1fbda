"""Deadlines of calls whose model speaks: they move with its text, and what came before a cut is given."""

import json
from pathlib import Path

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.daemon.calls.call import Call
from exai_trio.daemon.calls.limits import setting_of
from exai_trio.settings.table import SETTINGS
from exai_trio.tools.base import Answer, Tool
from exai_trio.tools.registry import BUILT_IN
from exai_trio.wire.messages import CallFailed, CallResult, CallTool


@attrs.frozen(kw_only=True)
class Saying:
    """Arguments of a tool whose model begins after so many seconds, and speaks for so many."""

    silent: float = 0.0
    speaks: float = 0.0
    may: float = 300.0


async def speak(arguments, caller, _services):
    """As a tool does that asks a model: the stream is cut by its reader, and what came is the answer."""
    asked = trio.current_time()
    await trio.sleep(arguments.silent)
    cut_at = caller.flows(asked + arguments.may)
    with trio.move_on_at(cut_at) as stream:
        await trio.sleep(arguments.speaks)
    return Answer(text="cut" if stream.cancelled_caught else "whole")


@pytest.fixture
def talking(house):
    """A daemon with the tool `speak`."""
    tool = Tool(name="speak", description="Speak.", arguments=Saying, run=speak, repeatable=True)
    return lambda **settings: house(tools=(tool,), **settings)


async def said(client, request_id="r1", timeout_s=None, handle_after_s=None, **arguments):
    await client.say(
        CallTool(
            request_id=request_id,
            name="speak",
            arguments=arguments,
            timeout_s=timeout_s,
            handle_after_s=handle_after_s,
        )
    )
    return await client.hear_until((CallResult, CallFailed))


@pytest.mark.parametrize(
    ("asked", "expected", "after"),
    [
        ({"speaks": 75.0}, "whole", 75),
        ({"silent": 59.0, "speaks": 200.0}, "whole", 259),
        ({"speaks": 400.0}, "cut", 300),
        ({"speaks": 400.0, "timeout_s": 20.0}, "cut", 20),
        ({"speaks": 400.0, "timeout_s": 200.0}, "cut", 200),
        ({"speaks": 5.0, "may": 2.0}, "cut", 2),
    ],
)
async def test_text_moves_the_deadline(talking, autojump_clock, asked, expected, after):
    """A call whose text flows lives until its stream's limit or its client's, and is answered with what came."""
    async with talking() as daemon, daemon.connect() as (client, _):
        began = trio.current_time()
        outcome = await said(client, **asked)
        took = trio.current_time() - began

    assert (expected, pytest.approx(after, abs=0.1)) == (outcome.outputs[0].text, took)


@pytest.mark.parametrize(
    ("asked", "setting"),
    [
        ({}, "SIMPLE_TOOL_TIMEOUT_SECS"),
        ({"timeout_s": 7.0}, "timeout_s, which its client gave"),
        ({"timeout_s": 700.0}, "SIMPLE_TOOL_TIMEOUT_SECS"),
    ],
)
async def test_a_model_that_says_nothing_is_not_waited_for(talking, autojump_clock, asked, setting):
    """The call's own deadline holds until text comes, and the fault names what sets it."""
    async with talking() as daemon, daemon.connect() as (client, _):
        began = trio.current_time()
        outcome = await said(client, silent=500.0, **asked)
        took = trio.current_time() - began

    limit = min(60.0, asked.get("timeout_s", 60.0))
    assert ("TIMEOUT", pytest.approx(limit, abs=0.1)) == (outcome.error.code, took)
    assert f"within {limit:g} s ({setting})" in outcome.error.message
    assert "larger timeout_s" not in outcome.error.message


def test_every_named_limit_is_a_setting():
    """What a fault tells the user to raise can be raised."""
    names = {setting.name for setting in SETTINGS}

    assert {setting_of(tool) for tool in BUILT_IN} <= names


async def test_after_a_handle_the_stream_decides(talking, autojump_clock):
    """A model that is silent when the handle is given, and still is at the call's own deadline, is waited for."""
    async with talking() as daemon, daemon.connect() as (client, _):
        handle = json.loads((await said(client, silent=90.0, handle_after_s=54.0)).outputs[0].text)
        await client.say(
            CallTool(request_id="f", name="result", arguments={"call_id": handle["call_id"]})
        )
        first = await client.hear_until((CallResult, CallFailed))
        await client.say(
            CallTool(request_id="g", name="result", arguments={"call_id": handle["call_id"]})
        )
        second = await client.hear_until((CallResult, CallFailed))

    assert ("running", "whole") == (
        json.loads(first.outputs[0].text)["status"],
        second.outputs[0].text,
    )


async def test_a_restart_leaves_it_that_time(talking, autojump_clock, journal):
    """The next daemon gives a call that was handed over no less."""
    config = Config(home=Path("/nowhere"))
    async with talking(journal=journal) as first, first.connect() as (client, _):
        handle = json.loads((await said(client, silent=90.0, handle_after_s=1.0)).outputs[0].text)
    async with talking(journal=journal) as second:
        again = second.calls.detached[handle["call_id"]].call

        assert isinstance(again, Call)
        assert max(config.glm_stream_timeout, config.kimi_stream_timeout) == again.timeout


@pytest.mark.parametrize("setting", [0.5, 1.0, 10.0])
async def test_result_waits_however_soon_handles_are_given(talking, autojump_clock, setting):
    """EXAI_HANDLE_AFTER_S is about other calls: `result` waits as long as it is asked to, ten seconds at least."""
    async with talking(handle_after_s=setting) as daemon, daemon.connect() as (client, _):
        handle = json.loads((await said(client, speaks=setting + 8.0)).outputs[0].text)
        arguments = {"call_id": handle["call_id"], "wait_s": 10}
        await client.say(CallTool(request_id="f", name="result", arguments=arguments))
        outcome = await client.hear_until((CallResult, CallFailed))

    assert "whole" == outcome.outputs[0].text
