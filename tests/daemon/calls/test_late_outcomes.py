"""A disk that takes a call or its outcome late, or never: who hears what, and what is left to the next daemon."""

from types import SimpleNamespace

import pytest
import trio
from lives import FullDisk, SetAside, killed_mid_call

from exai_trio.daemon.calls.call_journal import CallJournal
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    Cancel,
    ErrorReply,
    Ping,
    Pong,
)


@pytest.mark.parametrize("kind", ["new", "run again", "broken off"])
async def test_an_outcome_that_was_given_is_written_as_soon_as_the_disk_takes_it(
    house, autojump_clock, kind
):
    """Until then its session stays: the next daemon must not run the call again."""
    journal, repeatable = FullDisk(), kind != "broken off"
    if kind != "new":
        await killed_mid_call(house, journal, repeatable=repeatable)
    journal.full = kind == "broken off"
    async with house(journal, repeatable=repeatable) as daemon, daemon.connect(session_id="win") as (client, _):  # fmt: skip
        if kind == "new":
            await client.nap(seconds=10.0)
        await trio.sleep(5)
        journal.full = True
        await client.hear_until((CallResult, CallFailed))
        unwritten = await journal.unfinished()
        open_calls = daemon.sessions.table["win"].calls.table
        held_back = [bool(open_calls)]
        journal.full = False
        await trio.sleep(2)
        written = await journal.unfinished()
        held_back.append(bool(open_calls))

    assert (("win",), ()) == (unwritten, written)
    assert [True, False] == held_back


async def test_an_outcome_whose_call_no_file_has_is_given_at_once(house, autojump_clock):
    """The file was set aside meanwhile: there is nothing that the outcome could end, and nothing is due."""
    journal = SetAside()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=1.0)
        await client.hear_until(CallAccepted)
        journal.set_aside()
        begin = trio.current_time()
        await client.hear_until(CallResult)
        took = trio.current_time() - begin
        held_back = daemon.sessions.table["win"].calls.table

    assert took < 2
    assert not held_back


async def test_a_call_is_not_running_while_its_outcome_is_written(house, autojump_clock):
    """A cancel comes too late for it: NOT_FOUND, and the outcome stays what it is."""
    async with house(FullDisk(slow_s=3.0)) as daemon, daemon.connect() as (client, _):
        await client.nap()
        await client.hear_until(CallAccepted)
        await trio.sleep(1)
        await client.say(Cancel(request_id="r1"))
        heard = [await client.hear(), await client.hear()]

    assert [ErrorReply, CallResult] == [type(message) for message in heard]


async def test_who_repeats_a_call_that_waits_for_the_disk_hears_of_it_once(house, autojump_clock):
    """An acceptance that was never given is not repeated: the refusal in its place is all."""
    async with house(FullDisk(full=True, slow_s=3.0)) as daemon, daemon.connect() as (client, _):
        await client.nap()
        await trio.sleep(1)
        await client.nap()
        first = await client.hear()
        await client.say(Ping())
        after = await client.hear()

    assert "not_journalled" == first.error.details["reason"]
    assert isinstance(after, Pong)


async def test_a_call_that_was_refused_for_the_disk_is_not_running(house, autojump_clock):
    """A cancel finds nothing, the refusal is counted as one, and it says when to try again."""
    async with house(FullDisk(full=True)) as daemon, daemon.connect() as (client, _):
        await client.nap()
        refused = await client.hear_until(CallFailed)
        await client.say(Cancel(request_id="r1"))
        answer = await client.hear()
        figures = daemon.counted

    assert refused.error.retry_after_s > 0
    assert "NOT_FOUND" == answer.error.code
    assert (1, 0) == (figures.refused, figures.running)


async def test_a_rerun_has_its_whole_time_however_long_the_disk_took(house, autojump_clock):
    """The wait before it is not the call's."""
    journal = FullDisk()
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap(seconds=10.0, timeout_s=15.0)
        await client.hear_until(CallAccepted)
    journal.full = True
    async with house(journal) as daemon, daemon.connect(session_id="win", last_seq=1) as (client, _):  # fmt: skip
        await trio.sleep(30)
        journal.full = False
        outcome = await client.hear_until((CallResult, CallFailed))

    assert isinstance(outcome, CallResult)


async def test_a_call_that_waits_for_the_disk_can_be_cancelled(house, autojump_clock):
    """Its work is not done any more, and its client hears so while the disk is still full."""
    journal = FullDisk()
    last = await killed_mid_call(house, journal)
    journal.full = True
    async with house(journal) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        await client.say(Cancel(request_id="r1"))
        with trio.fail_after(20):
            outcome = await client.hear_until((CallResult, CallFailed))

    assert "CANCELLED" == outcome.error.code
    assert 0 == daemon.naps.finished


def test_an_outcome_that_another_daemon_may_have_told_is_not_written_past_the_fence():
    """Where nobody else takes calls it is written at once."""
    journal = SimpleNamespace(finish_at_once=lambda *_: True)
    call = SimpleNamespace(wire_id="1")
    kept = [CallJournal(journal, "s", "owner", fence) for fence in (None, object())]

    assert [True, False] == [each.finish_at_once(call, None) for each in kept]
