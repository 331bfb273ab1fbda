"""Tools that only report answer also where nothing can be written down; all others are refused there."""

import pytest
import trio
from lives import FullDisk

from exai_trio.tools.general.threads import TOOL as THREADS
from exai_trio.tools.registry import BUILT_IN
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import CallAccepted, CallFailed, CallResult, CallTool

REPORTS = {
    "status",
    "listmodels",
    "version",
    "provider_capabilities",
    "health",
    "self-check",
    "activity",
    "toolcall_log_tail",
    "glm_payload_preview",
    "challenge",
    "result",
    "threads",
}


def test_these_tools_report():
    """They ask no model, store nothing, and may run again."""
    tools = {tool.name: tool for tool in (*BUILT_IN, THREADS) if tool.reports}

    assert REPORTS == set(tools)
    assert all(t.read_only and t.repeatable and not t.asks_model for t in tools.values())


async def asked(client, name):
    await client.say(CallTool(request_id=name, name=name))
    return await client.hear_until((CallResult, CallFailed))


async def test_without_a_disk_reports_are_given(house, autojump_clock):
    """At once, after their acceptance, and nothing is left to be written; what does work is refused."""
    journal = FullDisk(full=True)
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.say(CallTool(request_id="r", name="version"))
        accepted = await client.hear()
        answered = await client.hear()
        listed, work = await asked(client, "version"), await asked(client, "nap")
        again = await asked(client, "version")
        took = trio.current_time()
        held_back = daemon.sessions.table["win"].calls.table
        refused = daemon.counted.refused

    assert isinstance(accepted, CallAccepted)
    assert "r" == answered.request_id
    assert (True, True, False, True) == (answered.ok, listed.ok, work.ok, again.ok)
    assert "not_journalled" == work.error.details["reason"]
    assert took < 1
    assert ({}, 1) == (held_back, refused)


async def test_a_report_does_not_wait_for_a_disk_that_hangs(house, autojump_clock):
    """It waits for a second, for acceptance and outcome together."""
    journal = FullDisk(slow_s=300.0)
    async with house(journal) as daemon, daemon.connect() as (client, _):
        answered = await asked(client, "version")
        took = trio.current_time()

    assert answered.ok
    assert 1.0 <= took < 1.5


@pytest.mark.parametrize("wait_s", [0.0, 5.0])
async def test_a_report_that_could_be_written_down_is_kept(house, journal, autojump_clock, wait_s):
    """As every call: its client may come back for it."""
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await asked(client, "version")
        await trio.sleep(wait_s)
        kept = await journal.session("win")

    assert ['"version"'] == [call.request for call in kept.calls if call.outcome]


async def test_a_report_that_no_disk_has_is_accepted_with_its_answer(house, autojump_clock):
    """The next daemon would not know it: a client that has heard of no acceptance sends it again."""
    journal = FullDisk()
    wait = {"call_id": handle_of("win", "r1"), "wait_s": 60}
    ask = CallTool(request_id="f", name="result", arguments=wait)
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=30.0)
        await client.hear_until(CallAccepted)
        journal.full = True
        await client.say(ask)
        with trio.move_on_after(5):
            await client.hear_until((CallAccepted, CallResult))
        last = client.last_seq
    journal.full = False
    async with house(journal) as second, second.connect(session_id="win", last_seq=last) as (client, ack):  # fmt: skip
        await client.say(ask)
        accepted = await client.hear_until(CallAccepted)
        heard = {(await client.hear_until(CallResult)).request_id for _ in range(2)}

    assert (1, True) == (last, ack.resumed)
    assert "f" == accepted.request_id
    assert {"f", "r1"} == heard
