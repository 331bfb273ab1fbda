"""One daemon takes another's place while calls run: they end where they run, once, and are answered by the successor."""

import attrs
import pytest
import trio
from journal_in_memory import MemoryJournal
from lives import FullDisk, changed, outcomes

from exai_trio.daemon.calls.call_journal import key_of
from exai_trio.daemon.delivery.outbox import Outbox
from exai_trio.daemon.takeover.successor import Transferred
from exai_trio.errors import CallCancelled
from exai_trio.wire.messages import (
    Bye,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    Output,
    Progress,
)


async def test_a_call_ends_where_it_runs_and_is_answered_by_the_successor(house, autojump_clock):
    """One execution, one outcome on disk before it is heard; the old daemon has left then."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=10.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        async with changed(house, old, journal) as change:
            async with change.new.connect(session_id="win", last_seq=last) as (client, ack):
                outcome = await client.hear_until((CallAccepted, CallResult))
                kept = await journal.session("win")
            await change.left.wait()

    assert ack.resumed
    assert "slept 10" == outcome.outputs[0].text
    assert (1, 0) == (old.naps.started, change.new.naps.started)
    assert kept.calls[0].outcome is not None
    assert 1 == kept.calls[0].attempts


class SlowDisk(MemoryJournal):
    """Takes 0.3 s for each outcome."""

    async def finish(self, session, request, outcome):
        await trio.sleep(0.3)
        await super().finish(session, request, outcome)


async def test_a_call_that_is_just_being_written_goes_over_once_it_is_on_disk(
    house, autojump_clock
):
    """The old daemon waits for it as long as that takes, and no longer: no call runs in both."""
    journal = FullDisk(slow_s=0.5)
    async with house(journal) as old, old.connect(session_id="win") as (before, _):
        await before.nap(seconds=10.0)
        await trio.sleep(0.1)
        begin = trio.current_time()
        async with changed(house, old, journal) as change:
            took = trio.current_time() - begin
            async with change.new.connect(session_id="win") as (client, _):
                outcome = await client.hear_until(CallResult)
            await change.left.wait()

    assert "slept 10" == outcome.outputs[0].text
    assert (1, 0) == (old.naps.started, change.new.naps.started)
    assert took < 0.6


async def test_a_call_that_the_disk_takes_late_goes_over(house, autojump_clock):
    """The home is kept until it is known whether the call is on disk: the successor could not know it before."""
    journal = FullDisk(slow_s=6.0)
    async with house(journal) as old, old.connect(session_id="win") as (client, _):
        await client.nap(seconds=2.0)
        await trio.sleep(1)
        async with changed(house, old, journal) as change:
            async with change.new.connect(session_id="win") as (again, _):
                outcome = await again.hear_until(CallResult)
            await change.left.wait()

    assert "slept 2" == outcome.outputs[0].text
    assert (1, 0) == (old.naps.started, change.new.naps.started)


async def test_a_disk_that_is_gone_ends_the_calls_here_as_a_kill_does(house, autojump_clock):
    """After half a minute the home is given up with everything open: no call runs in both, and each is answered."""
    journal = FullDisk()
    async with house(journal) as old, old.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=50.0)
        await client.hear_until(CallAccepted)
        journal.slow_s = 300.0
        await client.nap("r2", seconds=50.0)
        await trio.sleep(1)
        begin, last = trio.current_time(), client.last_seq
        async with changed(house, old, journal) as change:
            took = trio.current_time() - begin
            journal.slow_s = 0.0
            await change.left.wait()
            running_there = old.counted.running
            async with change.new.connect(session_id="win", last_seq=last) as (again, ack):
                outcome = await again.hear_until(CallResult)

    assert 30 <= took < 40
    assert ack.resumed
    assert "r1" == outcome.request_id
    assert (0, 1, 1) == (running_there, old.naps.cancelled, change.new.naps.started)


async def test_the_home_is_free_at_once_if_nothing_is_on_its_way(house, autojump_clock):
    """Clients that have no calls hold nobody up."""
    journal = MemoryJournal()
    async with house(journal) as old, old.connect(session_id="win"):
        begin = trio.current_time()
        async with changed(house, old, journal) as change:
            took = trio.current_time() - begin
            await change.left.wait()

    assert took < 0.5


async def test_calls_that_end_all_the_time_are_handed_on_all_the_same(house, autojump_clock):
    """There is no moment at which no outcome is on its way to the disk; yet no call runs in both daemons."""
    many = 30
    journal = SlowDisk()
    roomy = {"ws_session_max_inflight": many, "ws_global_max_inflight": many}
    async with house(journal, **roomy) as old:
        async with old.connect(session_id="win") as (client, _):
            for number in range(many):
                await client.nap(f"r{number}", seconds=0.5 + number / 10)
            for _ in range(many):
                await client.hear_until(CallAccepted)
            await client.hear_until(CallResult)
        async with changed(house, old, journal, **roomy) as change:
            async with change.new.connect(session_id="win", last_seq=many) as (client, _):
                outcomes = {(await client.hear_until(CallResult)).request_id for _ in range(many)}
            await change.left.wait()

    assert many == len(outcomes)
    assert (many, 0) == (old.naps.started, change.new.naps.started)


async def test_a_call_whose_daemon_dies_is_run_again(house, autojump_clock):
    """The old daemon is gone before its call has ended: the successor counts a second run."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=10.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        async with changed(house, old, journal) as change:
            await trio.sleep(1.0)
            change.kill()
            async with change.new.connect(session_id="win", last_seq=last) as (client, _):
                outcome = await client.hear_until(CallResult)
                kept = await journal.session("win")

    assert "slept 10" == outcome.outputs[0].text
    assert 1 == change.new.naps.started
    assert 2 == kept.calls[0].attempts


async def test_a_clients_patience_counts_from_when_the_call_began(house, autojump_clock):
    """Over the change too: it is answered with a handle no later than it asked for."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            begin = trio.current_time()
            await client.nap(seconds=40.0, handle_after_s=10.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
            await trio.sleep(6)
        async with changed(house, old, journal) as change, change.new.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
            outcome = await client.hear_until(CallResult)
            took = trio.current_time() - begin

    assert "handle" in outcome.outputs[0].metadata
    assert 10 <= took < 11


async def test_a_call_that_was_cancelled_is_not_run_again_when_its_daemon_dies(
    house, autojump_clock
):
    """Though the old daemon is gone in the very step of the cancel: CANCELLED, as the client wished."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=100.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        async with changed(house, old, journal) as change, change.new.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
            await trio.sleep(1.0)
            call = change.new.sessions.table["win"].calls.table["r1"]
            change.new.sessions.predecessor.find("win", key_of("r1")).ended.set()
            call.end(CallCancelled("the client cancelled the call"))
            outcome = await client.hear_until((CallResult, CallFailed))

    assert "CANCELLED" == outcome.error.code
    assert 0 == change.new.naps.started


async def test_runs_are_counted_over_the_change(house, autojump_clock):
    """A call that was run again already is not run a third time when its daemon dies."""
    journal = MemoryJournal()
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap(seconds=10.0)
        await client.hear_until(CallAccepted)
        last = client.last_seq
    async with house(journal) as old:
        await trio.sleep(1.0)
        async with changed(house, old, journal) as change:
            await trio.sleep(1.0)
            change.kill()
            async with change.new.connect(session_id="win", last_seq=last) as (client, _):
                outcome = await client.hear_until((CallResult, CallFailed))

    assert "INTERRUPTED" == outcome.error.code
    assert (1, 0) == (old.naps.started, change.new.naps.started)


async def test_a_call_that_was_handed_on_outlives_the_grace_of_its_session(house, autojump_clock):
    """Its client has gone over, and does not come back to the old daemon."""
    journal = MemoryJournal()
    async with house(journal, session_grace_s=2.0) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=20.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        async with changed(house, old, journal) as change:
            async with change.new.connect(session_id="win", last_seq=last) as (client, _):
                outcome = await client.hear_until((CallResult, CallFailed))
            await change.left.wait()

    assert "slept 20" == outcome.outputs[0].text
    assert (1, 0) == (old.naps.started, change.new.naps.started)


async def test_a_call_that_was_handed_over_goes_over_too(house, autojump_clock):
    """Its handle is good at the successor, and the work is not done twice."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=20.0, handle_after_s=2.0)
            handle = (await client.hear_until(CallResult)).outputs[0].metadata["handle"]
        async with changed(house, old, journal) as change:
            async with change.new.connect(session_id="other") as (client, _):
                asked = {"call_id": handle, "wait_s": 60}
                await client.say(CallTool(request_id="f", name="result", arguments=asked))
                outcome = await client.hear_until(CallResult)
            await change.left.wait()

    assert "slept 20" == outcome.outputs[0].text
    assert (1, 0) == (old.naps.started, change.new.naps.started)


async def test_a_cancel_reaches_the_daemon_in_which_the_call_runs(house, autojump_clock):
    """The client's cancel at the successor ends the work in the old daemon."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=100.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        async with changed(house, old, journal) as change:
            async with change.new.connect(session_id="win", last_seq=last) as (client, _):
                begin = trio.current_time()
                await client.say(Cancel(request_id="r1"))
                outcome = await client.hear_until(CallFailed)
            await change.left.wait()
            took = trio.current_time() - begin

    assert "CANCELLED" == outcome.error.code
    assert took < 1
    assert (1, 0) == (old.naps.cancelled, change.new.naps.started)


@pytest.mark.parametrize("kind", ["protocol 1", "no journal"])
async def test_a_client_that_cannot_go_over_is_answered_here(house, autojump_clock, kind):
    """The old daemon stays until its call has ended, and then closes the connection."""
    settings = {"durability": "off"} if kind == "no journal" else {}
    protocol = {"protocol": 1} if kind == "protocol 1" else {}
    async with house(**settings) as old, old.connect(**protocol) as (client, _):
        await client.nap(seconds=3.0)
        await client.hear_until(CallAccepted)
        async with changed(house, old, MemoryJournal(), **settings):
            outcome = await client.hear_until(CallResult)

    assert "slept 3" == outcome.outputs[0].text


async def test_cancelled_at_any_step_the_change_loses_no_call(
    house, cancel_at_every_step, autojump_clock
):
    """Wherever both daemons are cut, nothing runs on, and the journal has the call with or without its outcome."""
    cut = []

    async def change_over():
        journal = MemoryJournal()
        async with house(journal) as old:
            cut.append((old, journal))
            async with old.connect(session_id="win") as (client, _):
                await client.nap(seconds=1.0)
                await client.hear_until(CallAccepted)
                cut.append("accepted")
            async with changed(house, old, journal) as change:
                cut.append(change.new)
                await change.left.wait()

    def nothing_lost():
        houses = [one for one in cut if hasattr(one, "context")]
        if cut:
            old, journal = cut[0]
            houses.append(old)
            assert ("accepted" not in cut) or ("win", '"r1"') in journal._calls
        assert all(one.counted.running == 0 for one in houses)
        assert all(one.free_permits == 24 for one in houses)
        cut.clear()

    await cancel_at_every_step(change_over, nothing_lost)


@attrs.define
class Sluggish(MemoryJournal):
    """Takes 3 s for each new call or each outcome, from the moment that it is told to."""

    slow: str = ""

    async def accept(self, call):
        await trio.sleep(3.0 if self.slow == "accept" else 0)
        await super().accept(call)

    async def finish(self, session, request, outcome):
        await trio.sleep(3.0 if self.slow == "finish" else 0)
        await super().finish(session, request, outcome)


@pytest.mark.parametrize("slow", ["accept", "finish"])
async def test_a_slow_disk_is_waited_for(house, autojump_clock, slow):
    """A call that is being written down when the successor asks goes over with the others, and an outcome is there before it:
    nothing runs twice, and everything is answered once."""
    journal = Sluggish()
    async with house(journal) as old, old.connect(session_id="win") as (client, _):
        await client.nap("r0", seconds=1.0 if slow == "finish" else 30.0)
        await client.hear_until(CallAccepted)
        journal.slow = slow
        if slow == "accept":
            await client.nap("r1", seconds=20.0)
        await trio.sleep(1.5)
        async with changed(house, old, journal) as change:
            heard = await outcomes(client, 3)
            last = client.last_seq
            async with change.new.connect(session_id="win", last_seq=last) as (again, _):
                heard += await outcomes(again, 60)

    called = ["r0"] if slow == "finish" else ["r1", "r0"]
    assert [("CallResult", request_id) for request_id in called] == heard
    assert (len(called), 0) == (old.naps.started, change.new.naps.started)


async def test_a_call_whose_daemon_ends_during_the_drain_is_left_to_the_next(house, autojump_clock):
    """Both daemons are told to stop: the successor does not spend the last attempt on what it could not finish."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=30.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        async with changed(house, old, journal) as change:
            change.new.context.shutdown.draining = True
            change.kill()
            await change.new.calls.wait_none()
        async with (
            house(journal) as third,
            third.connect(session_id="win", last_seq=last) as (client, _),
        ):
            outcome = await client.hear_until((CallFailed, CallResult))

    assert "slept 30" == outcome.outputs[0].text
    assert (0, 1) == (change.new.naps.started, third.naps.started)


async def test_a_chain_of_changes_loses_no_call(house, autojump_clock):
    """The first of three ends while the second is leaving to the third: the call runs again there, and nobody cancelled it."""
    journal = MemoryJournal()
    async with house(journal) as first:
        async with first.connect(session_id="win") as (client, _):
            await client.nap(seconds=30.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        async with changed(house, first, journal) as one, changed(house, one.new, journal) as two:
            one.kill()
            async with two.new.connect(session_id="win", last_seq=last) as (again, _):
                outcome = await again.hear_until((CallFailed, CallResult))

    assert "slept 30" == outcome.outputs[0].text


async def test_who_has_the_journal_runs_what_the_first_of_three_has_lost(house, autojump_clock):
    """The second has been replaced, and could not count the run of a call that has a handle by now: it says so, and the third runs it."""
    journal = MemoryJournal()
    async with house(journal) as first:
        async with first.connect(session_id="win") as (client, _):
            await client.nap(seconds=30.0, handle_after_s=5.0)
            await client.hear_until(CallAccepted)
        async with changed(house, first, journal) as one, changed(house, one.new, journal) as two:
            await trio.sleep(10)
            one.kill()
            await trio.sleep(10)
            (name,) = await journal.unfinished()
            (kept,) = (await journal.session(name)).calls

    assert [1, 0, 1] == [each.naps.started for each in (first, one.new, two.new)]
    assert 2 == kept.attempts


async def test_a_late_outcome_is_on_disk_before_the_successor_looks(house, autojump_clock):
    """Its client has it, the disk did not take it for long and does now: it is not run again, nor heard again."""
    journal = FullDisk()
    async with house(journal) as old, old.connect(session_id="win") as (client, _):
        await client.nap(seconds=1.0)
        await client.hear_until(CallAccepted)
        journal.full = True
        await client.hear_until(CallResult)
        await client.acknowledge()
        await trio.sleep(0.5)
        journal.full = False
        last = client.last_seq
        async with (
            changed(house, old, journal) as change,
            change.new.connect(session_id="win", last_seq=last) as (again, _),
        ):
            heard = await outcomes(again, 20)

    assert ([], 0) == (heard, change.new.naps.started)


async def test_an_outcome_for_the_successor_is_never_dropped():
    """What a call says may be, when much waits; how it ended may not."""
    box, much = Outbox(), "x" * 300_000
    recipient = Transferred(box, "win", None)
    box.put(much)
    recipient.offer(
        Progress(request_id="r1", name="nap", t="", stage="running", message="", elapsed_s=1.0)
    )
    _, tell = recipient.take(None, CallResult(request_id="r1", outputs=[Output(text="done")]))
    tell()
    waiting = await box.take()

    assert [much, True] == [waiting[0], "done" in waiting[1]]
    assert 2 == len(waiting)


async def test_clients_that_cannot_go_over_are_told_to_stay(house, autojump_clock):
    """Without a journal the successor knows nothing of their calls: they hear how these end, and lose nothing."""
    off = {"durability": "off", "drain_s": 20.0}
    async with house(**off) as old, old.connect(session_id="win") as (client, _):
        await client.nap(seconds=5.0)
        await client.hear_until(CallAccepted)
        async with changed(house, old, None, **off):
            bye = await client.hear_until(Bye)
            outcome = await client.hear_until(CallResult)

    assert bye.retry_after_s > 0
    assert "slept 5" == outcome.outputs[0].text


async def test_a_run_is_counted_for_a_call_that_was_detached_meanwhile(house, autojump_clock):
    """It is begun again because the old daemon is gone: no third daemon begins it once more."""
    journal = MemoryJournal()
    async with house(journal) as old:
        async with old.connect(session_id="win") as (client, _):
            await client.nap(seconds=90.0, handle_after_s=5.0)
            await client.hear_until(CallAccepted)
        async with changed(house, old, journal) as change:
            await trio.sleep(10)
            change.kill()
            await trio.sleep(10)
            started = change.new.naps.started
            (kept,) = [
                page
                for name in await journal.unfinished()
                for page in (await journal.session(name)).calls
            ]

    assert 1 == started
    assert 2 == kept.attempts


async def test_a_daemon_that_is_being_replaced_takes_no_new_call(house, autojump_clock):
    """While it waits for the disk, too: its client is told to try again, which it does elsewhere."""
    journal = FullDisk(slow_s=6.0)
    async with (
        house(journal) as old,
        old.connect(session_id="win") as (client, _),
        trio.open_nursery() as replacing,
    ):

        async def replace():
            async with changed(house, old, journal):
                await trio.sleep_forever()

        await client.nap("r1", seconds=20.0)
        await trio.sleep(1)
        replacing.start_soon(replace)
        await trio.sleep(1)
        await client.nap("r2", seconds=1.0)
        with trio.fail_after(30):
            failed = await client.hear_until(CallFailed)
        replacing.cancel_scope.cancel()

    assert ("r2", "SERVICE_UNAVAILABLE") == (failed.request_id, failed.error.code)
