"""The tool profile changes while an editor is connected."""

import signal

import pytest
from mcp_types import JSONRPCNotification

pytestmark = pytest.mark.real


@pytest.mark.parametrize("mode", ["legacy"])
async def test_a_hangup_reads_the_profile_again(start, new_place, editor, until, mode):
    """SIGHUP after .env has changed: the editor is told, lists fewer tools, and nothing was interrupted."""
    place = new_place()
    settings = place.home / ".env"
    settings.write_text("TOOL_PROFILE=full\n")
    daemon = start(place, ENV_FILE=str(settings))
    async with editor(place, mode) as one:

        async def listed_in_full():
            found = await one.client.list_tools()
            return found if "version" in {tool.name for tool in found.tools} else None

        before = await until(listed_in_full)
        await one.client.list_prompts()
        echo = await one.call("test_echo", prompt="before")
        told_before = len(one.heard)
        settings.write_text("TOOL_PROFILE=lean\n")
        daemon.signal(signal.SIGHUP)

        def told():
            notices = [
                each for each in one.heard[told_before:] if isinstance(each, JSONRPCNotification)
            ]
            methods = {notice.method for notice in notices}
            return {
                f"notifications/{kind}/list_changed" for kind in ("tools", "prompts")
            } <= methods

        await until(told)

        async def listed_lean():
            found = await one.client.list_tools()
            return None if "version" in {tool.name for tool in found.tools} else found

        after = await until(listed_lean)
        prompts = {prompt.name for prompt in (await one.client.list_prompts()).prompts}
        again = await one.call("test_echo", prompt="after")

    names = [{tool.name for tool in each.tools} for each in (before, after)]
    assert {"version", "test_echo", "chat"} <= names[0]
    assert "chat" in names[1]
    assert not {"version", "test_echo"} & names[1]
    assert prompts == names[1]
    assert "before" in echo.content[0].text
    assert "after" in again.content[0].text
