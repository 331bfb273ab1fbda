"""Calls that outlast their client's patience, through shim and daemon."""

import json

import pytest

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def hasty(start_for_module, new_place):
    """A daemon that gives handles after a second, in which a call that takes no time is surely done."""
    place = new_place(simulate=True, EXAI_HANDLE_AFTER_S="1", ENABLED_TOOLS="test_echo")
    return start_for_module(place)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_long_call_is_fetched_from_another_window(hasty, editor, until, mode):
    """The handle fits the tool's schema (the client checks it); the outcome is the tool's own answer, word for word."""
    async with editor(hasty.place, mode) as one:
        handle = (await one.call("test_echo", prompt="long", delay_ms=2500)).structured_content
        short = (await one.call("test_echo", prompt="short")).structured_content
    async with editor(hasty.place, mode) as other:

        async def outcome():
            told = await other.call("result", call_id=handle["call_id"], wait_s=1)
            assert not told.is_error
            assert json.loads(told.content[0].text) == told.structured_content
            return told.structured_content if "next_call" not in told.structured_content else None

        early = await outcome()
        late = await until(outcome)

    assert "running" == handle["status"]
    assert "short" == short["content"]
    assert early is None or "long" == early["content"]
    assert ("success", "long") == (late["status"], late["content"])
