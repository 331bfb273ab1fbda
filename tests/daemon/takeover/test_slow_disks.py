"""A daemon is replaced while its disk stalls or refuses: what is on its way there is not lost, nor done twice, nor in both daemons."""

import attrs
import pytest
import trio
from journal_in_memory import MemoryJournal
from lives import changed, outcomes

from exai_trio.errors import StorageError
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import CallAccepted, CallResult, CallTool

NAP_S = 40.0


@attrs.define
class Stalls(MemoryJournal):
    """Takes so long for the acceptance, or the outcome, of these requests, and for each handle."""

    accepts: dict = attrs.field(factory=dict)
    finishes: dict = attrs.field(factory=dict)
    handles: float = 0.0

    async def accept(self, call):
        await trio.sleep(self.accepts.get(call.request, 0))
        await super().accept(call)

    async def finish(self, session, request, outcome):
        await trio.sleep(self.finishes.get(request, 0))
        await super().finish(session, request, outcome)

    async def hand_over(self, session, request, outcome, to):
        await trio.sleep(self.handles)
        await super().hand_over(session, request, outcome, to)


async def test_a_call_that_is_accepted_late_goes_over_with_its_neighbour(house, autojump_clock):
    """r1 is on disk when the successor asks, r2 is not for six seconds: both are answered there, and run once."""
    journal = Stalls(accepts={'"r2"': 6.0})
    async with house(journal) as old, old.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=NAP_S)
        await client.hear_until(CallAccepted)
        await client.nap("r2", seconds=NAP_S)
        await trio.sleep(0.5)
        async with changed(house, old, journal) as change:
            heard = await outcomes(client, 30)
            last = client.last_seq
            async with change.new.connect(session_id="win", last_seq=last) as (again, ack):
                heard += await outcomes(again, 300)

    assert ack.resumed
    assert [("CallResult", "r1"), ("CallResult", "r2")] == sorted(heard)
    assert (2, 0) == (old.naps.started, change.new.naps.started)


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_call_that_has_ended_is_not_run_again(house, autojump_clock, repeatable):
    """Its outcome takes the disk six seconds: its client hears that one, and no other."""
    journal = Stalls(finishes={'"r1"': 6.0})
    same = {"repeatable": repeatable}
    async with house(journal, **same) as old, old.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=1.0)
        await client.hear_until(CallAccepted)
        await trio.sleep(1.2)
        async with changed(house, old, journal, **same) as change:
            heard = await outcomes(client, 10)
            last = client.last_seq
            async with change.new.connect(session_id="win", last_seq=last) as (again, _):
                heard += await outcomes(again, 60)

    assert [("CallResult", "r1")] == heard
    assert (1, 0) == (old.naps.started, change.new.naps.started)


async def test_a_call_that_is_just_being_detached_runs_in_one_daemon(house, autojump_clock):
    """Its handle is on its way to the disk when the successor asks: the work goes on where it is, and can be fetched there."""
    journal = Stalls(handles=6.0)
    async with house(journal) as old, old.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=NAP_S, handle_after_s=5.0)
        await client.hear_until(CallAccepted)
        await trio.sleep(5.5)
        async with changed(house, old, journal) as change:
            running = (old.counted.running, change.new.counted.running)
            last = client.last_seq
            async with change.new.connect(session_id="win", last_seq=last) as (again, _):
                handle = (await again.hear_until(CallResult)).outputs[0].metadata["handle"]
                asked = {"call_id": handle, "wait_s": 60}
                await again.say(CallTool(request_id="f", name="result", arguments=asked))
                fetched = await again.hear_until(CallResult)

    assert (1, 1) == running  # there it is the wait for it
    assert "slept 40" == fetched.outputs[0].text
    assert (1, 0) == (old.naps.started, change.new.naps.started)


async def test_a_call_of_an_old_client_is_not_run_in_the_successor(house, autojump_clock):
    """Its client, of protocol 1, stays and is answered here; the journal learns the outcome from the successor alone."""
    journal = MemoryJournal()
    async with house(journal) as old, old.connect(session_id="win", protocol=1) as (client, _):
        await client.nap("r1", seconds=5.0)
        await client.hear_until(CallAccepted)
        async with changed(house, old, journal) as change:
            answer = await client.hear_until(CallResult)
            with pytest.raises(PeerGone):
                await client.hear()
            await trio.sleep(1)
            (kept,) = (await journal.session("win")).calls

    assert "slept 5" == answer.text
    assert (1, 0) == (old.naps.started, change.new.naps.started)
    assert "slept 5" in kept.outcome.frame


@attrs.define
class LocksOnce(MemoryJournal):
    """Cannot be read until some time."""

    until: float = 0.0

    async def unfinished(self):
        if trio.current_time() < self.until:
            raise StorageError("The journal is locked.")
        return await super().unfinished()


async def test_an_outcome_that_was_heard_is_kept_until_the_journal_can_be_read(
    house, autojump_clock
):
    """The successor's journal is locked at its start, and the old daemon is gone before it is not: the call has ended, and is
    not run again; the other, which had not ended, is."""
    journal = LocksOnce()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap("r1", seconds=2.0)
            await client.nap("r2", seconds=30.0)
            await client.hear_until(CallAccepted)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        journal.until = trio.current_time() + 10.0
        async with changed(house, old, journal) as change:
            await trio.sleep(5)
            change.kill()
            await trio.sleep(10)
            await change.new.sessions.restore()
            async with change.new.connect(session_id="win", last_seq=last) as (again, _):
                heard = await outcomes(again, 100)
            left = change.new.sessions.predecessor._calls

    assert [("CallResult", "r1"), ("CallResult", "r2")] == sorted(heard)
    assert {} == left
    assert (2, 1) == (old.naps.started, change.new.naps.started)


async def test_what_the_first_of_three_runs_is_known_to_the_third(house, autojump_clock):
    """The second is replaced before it could read the journal: what it has not taken up is not run again while it still runs."""
    journal = LocksOnce()
    async with house(journal) as first:
        async with first.connect(session_id="win") as (client, _):
            await client.nap(seconds=NAP_S)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        journal.until = trio.current_time() + 3.0
        async with changed(house, first, journal) as one, changed(house, one.new, journal) as two:
            async with two.new.connect(session_id="win", last_seq=last) as (again, _):
                outcome = await again.hear_until(CallResult)
            runs = first.naps.started, one.new.naps.started, two.new.naps.started
            await two.left.wait()

    assert "slept 40" == outcome.outputs[0].text
    assert (1, 0, 0) == runs


async def test_what_runs_here_under_a_handle_is_not_taken_up_from_the_journal(
    house, autojump_clock
):
    """The journal could not be read at the start, and has by now what this daemon has detached itself."""
    journal = LocksOnce(until=10.0)
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=NAP_S, handle_after_s=2.0)
        handle = (await client.hear_until(CallResult)).outputs[0].metadata["handle"]
        await trio.sleep(10)
        await daemon.sessions.restore()
        asked = {"call_id": handle, "wait_s": 60}
        await client.say(CallTool(request_id="f", name="result", arguments=asked))
        fetched = await client.hear_until(CallResult)

    assert daemon.sessions.restored
    assert "slept 40" == fetched.outputs[0].text
    assert 1 == daemon.naps.started
