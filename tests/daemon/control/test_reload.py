"""Tools that change while clients are connected."""

import attrs
import pytest

from exai_trio.daemon.control.reload import Reload
from exai_trio.settings.load import load
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    ListTools,
    Ping,
    Pong,
    ToolList,
    ToolsChanged,
)


def reload_of(daemon):
    return Reload(daemon.context.config, daemon.environment.tools, daemon.sessions)


async def test_clients_are_told_and_list_anew(house, autojump_clock):
    """tools_changed is numbered and reaches protocol 2 only; the next list is the new one; health counts it."""
    async with house() as daemon, daemon.connect() as (client, _), daemon.connect(protocol=1) as (old, _):  # fmt: skip
        before = len(daemon.environment.tools.listing())
        reload_of(daemon).apply(attrs.evolve(daemon.context.config, tool_profile="lean"))
        told, number = await client.hear(), client.last_seq
        await client.say(ListTools())
        listed = await client.hear()
        await old.say(Ping())
        heard = await old.hear()

    assert (ToolsChanged(), 1) == (told, number)
    assert isinstance(listed, ToolList)
    assert len(listed.tools) < before
    assert len(listed.tools) == daemon.report.health()["tool_count"]
    assert isinstance(heard, Pong)


async def test_who_was_away_hears_of_it_later(house, autojump_clock):
    """It is replayed to a client that comes back."""
    async with house() as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
            last = client.last_seq
        reload_of(daemon).apply(attrs.evolve(daemon.context.config, tool_profile="lean"))
        async with daemon.connect(session_id="win", last_seq=last) as (client, ack):
            told = await client.hear()

    assert ack.resumed
    assert ToolsChanged() == told


async def test_a_disabled_tool_is_gone_and_a_running_call_ends(house, autojump_clock):
    """Calls that run keep their tool; new ones are refused, and served again once it is back."""
    async with house() as daemon, daemon.connect() as (client, _):
        switching = reload_of(daemon)
        await client.nap("a", seconds=1.0)
        await client.hear_until(CallAccepted)
        switching.apply(attrs.evolve(switching.config, disabled_tools=frozenset({"nap"})))
        await client.nap("b")
        refused = await client.hear_until(CallFailed)
        ended = await client.hear_until(CallResult)
        switching.apply(attrs.evolve(switching.config, disabled_tools=frozenset()))
        await client.say(CallTool(request_id="c", name="nap"))
        served = await client.hear_until(CallResult)

    assert "TOOL_NOT_FOUND" == refused.error.code
    assert ["a", "c"] == [ended.request_id, served.request_id]


async def test_nothing_is_told_if_the_list_stays(house, autojump_clock, caplog):
    """Settings that are not of the tools wait for a restart, and the log names them without their values."""
    caplog.set_level("INFO", "exai.daemon")
    async with house() as daemon, daemon.connect() as (client, _):
        other = attrs.evolve(daemon.context.config, ws_token="hush-hush", tool_profile="full")
        reload_of(daemon).apply(other)
        await client.say(Ping())
        heard = await client.hear()
    (record,) = [one for one in caplog.records if one.msg == "settings read again"]

    assert isinstance(heard, Pong)
    assert ([], ["ws_token"]) == (record.changed, record.need_a_restart)
    assert "hush-hush" not in caplog.text


@pytest.mark.parametrize("broken", [OSError("gone"), UnicodeError("not text"), None])
async def test_settings_that_cannot_be_read_change_nothing(house, broken, caplog):
    """A missing file, one that is no text, or a wrong value: it is logged, and the daemon goes on."""

    def reread():
        if broken is not None:
            raise broken
        return load({}, {}, "TOOL_PROFILE=huge")

    async with house() as daemon:
        before = daemon.environment.tools.listing()
        await reload_of(daemon).read_again(reread)
        after = daemon.environment.tools.listing()

    assert before == after
    assert "settings not read again" in caplog.text
