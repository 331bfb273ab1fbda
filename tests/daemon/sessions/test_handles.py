"""Long calls: one handle to who asked, the outcome to whoever fetches it, over windows and restarts."""

import json

import attrs
import pytest
import trio
from journal_in_memory import MemoryJournal
from lives import FullDisk, SetAside

from exai_trio.daemon.control.drain import drain
from exai_trio.errors import StorageError
from exai_trio.wire.handles import handle_of, is_handle
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    ErrorReply,
    Ping,
    Pong,
    Progress,
)


async def fetched(client, call_id, request_id="f1", **arguments):
    """What `result` answers."""
    arguments = {"call_id": call_id, **arguments}
    await client.say(CallTool(request_id=request_id, name="result", arguments=arguments))
    return await client.hear_until((CallResult, CallFailed))


async def given_handle(client, **nap):
    """The handle that a nap is answered with."""
    await client.nap(**nap)
    outcome = await client.hear_until((CallResult, CallFailed))
    handle = json.loads(outcome.outputs[0].text)
    assert ("running", "nap") == (handle["status"], handle["tool"])
    assert is_handle(handle["call_id"])
    return handle


@pytest.mark.parametrize("settings", [{}, {"durability": "off"}, {"handle_after_s": 5.0}])
async def test_a_long_call_is_answered_once_and_fetched_any_number_of_times(
    house, autojump_clock, settings
):
    """The handle comes in time and is the one outcome; `result` waits for the call's own answer, and gives it again."""
    asked = {} if "handle_after_s" in settings else {"handle_after_s": 5.0}
    async with house(**settings) as daemon, daemon.connect() as (client, _):
        begin = trio.current_time()
        handle = await given_handle(client, seconds=20.0, **asked)
        waited = trio.current_time() - begin
        await trio.sleep(14)
        answers = [await fetched(client, handle["call_id"], f"f{n}") for n in range(2)]
        await client.say(Ping())
        after = await client.hear()
        free = daemon.free_permits

    assert 5 <= waited < 6
    assert ["slept 20", "slept 20"] == [answer.outputs[0].text for answer in answers]
    assert {"input_tokens": 1} == answers[0].usage
    assert isinstance(after, Pong)
    assert (1, 1, 24) == (daemon.naps.started, daemon.naps.finished, free)


async def test_what_ends_in_time_gets_no_handle(house, autojump_clock):
    """Neither a shorter call, nor one of a daemon without the setting."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap("a", seconds=4.0, handle_after_s=5.0)
        first = await client.hear_until(CallResult)
        await client.nap("b", seconds=50.0)
        second = await client.hear_until(CallResult)

    assert ["slept 4", "slept 50"] == [one.outputs[0].text for one in (first, second)]


async def test_the_earlier_limit_counts(house, autojump_clock):
    """The setting and the client's own wish."""
    async with house(handle_after_s=30.0) as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=50.0, handle_after_s=3.0)

    assert 3 <= handle["elapsed_s"] < 4


async def test_the_progress_so_far_is_told(house, autojump_clock):
    """A call that still runs at the end of wait_s is answered with its handle again, and what it does."""
    async with house() as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=50.0, stages=["thinking"], handle_after_s=2.0)
        answer = await fetched(client, handle["call_id"], wait_s=3)
    told = json.loads(answer.outputs[0].text)

    assert ("running", handle["call_id"]) == (told["status"], told["call_id"])
    assert "thinking: now thinking" == told["progress"]
    assert 5 <= told["elapsed_s"] < 6


async def test_result_answers_before_its_client_gives_up(house, autojump_clock):
    """It is never answered with a handle of its own: it waits no longer than its client."""
    async with house(handle_after_s=10.0) as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=50.0)
        begin = trio.current_time()
        answer = await fetched(client, handle["call_id"], wait_s=300)
        waited = trio.current_time() - begin

    assert handle["call_id"] == json.loads(answer.outputs[0].text)["call_id"]
    assert 8 <= waited <= 10


class SlowDisk(MemoryJournal):
    """Takes 3 s for each outcome of a call that was handed over."""

    async def finish(self, session, request, outcome):
        if is_handle(session):
            await trio.sleep(3.0)
        await super().finish(session, request, outcome)


class SlowHandles(MemoryJournal):
    """Takes a minute for a handle."""

    async def hand_over(self, *change):
        await trio.sleep(60.0)
        await super().hand_over(*change)


async def test_result_answers_as_soon_as_the_outcome_is_kept(house, autojump_clock):
    """Not before it is on disk, and not only at the end of wait_s."""
    async with house(SlowDisk()) as daemon, daemon.connect() as (client, _):
        begin = trio.current_time()
        handle = await given_handle(client, seconds=10.0, handle_after_s=2.0)
        await trio.sleep_until(begin + 11)
        answer = await fetched(client, handle["call_id"], wait_s=60)
        kept = await daemon.context.journal.session(handle["call_id"])
        took = trio.current_time() - begin

    assert "slept 10" == answer.outputs[0].text
    assert kept.calls[0].outcome is not None
    assert 13 <= took < 14


async def test_a_handle_frees_its_place_and_a_late_cancel_ends_nothing(house, autojump_clock):
    """The request is over for the session; the daemon's permit is the work's."""
    async with house(ws_session_max_inflight=1) as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=1.0)
        await client.say(Cancel(request_id="r1"))
        refused = await client.hear_until(ErrorReply)
        await client.nap("r2")
        second = await client.hear_until(CallResult)
        free = daemon.free_permits
        answer = await fetched(client, handle["call_id"])

    assert "NOT_FOUND" == refused.error.code
    assert "slept 0" == second.outputs[0].text
    assert 23 == free
    assert "slept 30" == answer.outputs[0].text


async def test_the_same_request_again_gets_its_handle_again(house, autojump_clock):
    """The id stays one call: it does not run a second time."""
    async with house() as daemon, daemon.connect() as (client, _):
        first = await given_handle(client, seconds=30.0, handle_after_s=1.0)
        second = await given_handle(client, seconds=30.0, handle_after_s=1.0)

    assert first["call_id"] == second["call_id"]
    assert 1 == daemon.naps.started


async def test_a_window_that_closes_loses_nothing(house, autojump_clock):
    """The client leaves for longer than the grace; another window of the same principal fetches the outcome, also later."""
    async with house(session_grace_s=1.0) as daemon:
        async with daemon.connect(session_id="one") as (client, _):
            handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
        async with daemon.connect(session_id="two") as (client, _):
            answer = await fetched(client, handle["call_id"])
            await trio.sleep(100)
            left = [name for name in daemon.sessions.table if name != "two"]
            later = await fetched(client, handle["call_id"], "f2")

    assert "slept 30" == answer.outputs[0].text == later.outputs[0].text
    assert [] == left
    assert 0 == daemon.naps.cancelled


async def test_without_a_journal_the_outcome_lives_for_the_grace(house, autojump_clock):
    """The work goes on without its client all the same; later the refusal names the setting."""
    async with house(durability="off", session_grace_s=50.0) as daemon:
        async with daemon.connect(session_id="one") as (client, _):
            handle = await given_handle(client, seconds=50.0, handle_after_s=2.0)
        await trio.sleep(60)
        async with daemon.connect(session_id="two") as (client, _):
            answer = await fetched(client, handle["call_id"])
            await trio.sleep(100)
            refused = await fetched(client, handle["call_id"], "f2")

    assert "slept 50" == answer.outputs[0].text
    assert "NOT_FOUND" == refused.error.code
    assert "EXAI_DURABILITY" in refused.error.message


async def test_what_is_forgotten_does_not_run_for_ever(house, autojump_clock):
    """Its session, which lives on, has told the handle, and nothing that could be fetched: that does not say "running"."""
    async with house(durability="off", session_grace_s=50.0) as daemon, daemon.connect() as (client, _):  # fmt: skip
        handle = await given_handle(client, seconds=10.0, handle_after_s=2.0)
        await trio.sleep(100)
        refused = await fetched(client, handle["call_id"])

    assert "NOT_FOUND" == refused.error.code


async def test_cancelling_the_wait_ends_only_the_wait(house, autojump_clock):
    """A client that gives up `result` can ask again; the work has not noticed."""
    async with house() as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
        arguments = {"call_id": handle["call_id"], "wait_s": 60}
        await client.say(CallTool(request_id="w", name="result", arguments=arguments))
        await client.hear_until(CallAccepted)
        await client.say(Cancel(request_id="w"))
        given_up = await client.hear_until((CallResult, CallFailed))
        answer = await fetched(client, handle["call_id"])

    assert "CANCELLED" == given_up.error.code
    assert "slept 30" == answer.outputs[0].text
    assert (1, 0) == (daemon.naps.started, daemon.naps.cancelled)


async def test_a_client_that_cancels_before_its_handle_ends_the_work(house, autojump_clock):
    """Who cancels in time means it; the promise begins with the handle."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=30.0, handle_after_s=5.0)
        await client.hear_until(CallAccepted)
        await client.say(Cancel(request_id="r1"))
        outcome = await client.hear_until((CallResult, CallFailed))
        await trio.sleep(60)
        named = await fetched(client, handle_of("one", "r1"))

    assert "CANCELLED" == outcome.error.code
    assert "NOT_FOUND" == named.error.code
    assert 1 == daemon.naps.cancelled


async def test_nothing_more_is_said_of_a_request_that_has_its_handle(house, autojump_clock):
    """Progress after the answer has broken clients: what the work says then goes nowhere."""
    async with house(progress_interval_s=1.0) as daemon, daemon.connect() as (client, _):
        await given_handle(client, seconds=30.0, handle_after_s=2.0)
        heard = []
        with trio.move_on_after(60):
            while True:
                heard.append(await client.hear())

    assert [] == heard


async def test_runs_are_counted_over_the_handle(house, autojump_clock):
    """A call that was already run again before it was handed over is not run a third time."""
    journal = MemoryJournal()
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap(seconds=30.0, handle_after_s=5.0)
        await client.hear_until(CallAccepted)
    async with house(journal) as second, second.connect(session_id="win", last_seq=1) as (client, _):  # fmt: skip
        handle = json.loads((await client.hear_until(CallResult)).outputs[0].text)
    async with house(journal) as third, third.connect() as (client, _):
        answer = await fetched(client, handle["call_id"])

    assert [1, 1, 0] == [daemon.naps.started for daemon in (first, second, third)]
    assert "INTERRUPTED" == answer.error.code


async def test_another_principal_finds_nothing(house, autojump_clock):
    """A call id is no proof of identity."""
    async with house() as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
        async with daemon.connect(session_id="two") as (other, _):
            daemon.sessions.table["two"].principal = "somebody else"
            refused = await fetched(other, handle["call_id"])
            await trio.sleep(1000)
            later = await fetched(other, handle["call_id"], "f2")

    assert ("NOT_FOUND", "NOT_FOUND") == (refused.error.code, later.error.code)


@pytest.mark.parametrize("call_id", ["x", "call_" + "0" * 24, "win"])
async def test_an_unknown_call_is_not_found(house, autojump_clock, call_id):
    """Whatever is sent as a call id."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        refused = await fetched(client, call_id)

    assert ("NOT_FOUND", "call_id") == (refused.error.code, refused.error.details["field"])


async def test_a_failure_is_fetched_as_one(house, autojump_clock):
    """The call's own deadline holds, and its code reaches who fetches it."""
    async with house() as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=90.0, timeout_s=9.0, handle_after_s=2.0)
        answer = await fetched(client, handle["call_id"])

    assert ("TIMEOUT", "timeout") == (answer.error.code, answer.error.category)
    assert "nap did not finish within 9 s" in answer.error.message


async def test_a_call_that_was_not_handed_over_is_found_too(house, autojump_clock):
    """A shim whose daemon was away at its client's limit has named it by itself."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("r7", seconds=1.0)
        await client.hear_until(CallResult)
        answer = await fetched(client, handle_of("win", "r7"))

    assert "slept 1" == answer.outputs[0].text


async def test_a_restart_takes_up_what_was_handed_over(house, autojump_clock):
    """It runs again under the same provider key, its old client hears nothing twice, and the outcome can be fetched."""
    journal = MemoryJournal()
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
        running = first.calls.detached[handle["call_id"]].call
        last = client.last_seq
    async with house(journal, session_grace_s=1.0) as second, second.connect(session_id="win", last_seq=last) as (client, ack):  # fmt: skip
        again = second.calls.detached[handle["call_id"]].call
        await trio.sleep(10)
        answer = await fetched(client, handle["call_id"], wait_s=50)
    async with house(journal) as third, third.connect() as (client, _):
        kept = await fetched(client, handle["call_id"])

    assert ack.resumed
    assert running.idempotency_key == again.idempotency_key
    assert running.idempotency_key.startswith(handle["call_id"])
    assert "slept 30" == answer.outputs[0].text == kept.outputs[0].text
    assert (1, 0) == (second.naps.started, third.naps.started)


async def test_each_drain_leaves_it_to_the_next_daemon(house, autojump_clock):
    """Also one that has it from an earlier daemon."""
    journal, often = MemoryJournal(), {"drain_s": 4.0, "call_max_attempts": 9}
    async with house(journal, **often) as first, first.connect(session_id="win") as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
    for _ in range(2):
        async with house(journal, **often) as daemon:
            await trio.sleep(1)
            await drain(daemon.sessions, daemon.connections)
    async with house(journal, **often) as last, last.connect() as (client, _):
        answer = await fetched(client, handle["call_id"], wait_s=50)

    assert "slept 30" == answer.outputs[0].text


async def test_what_was_handed_over_once_is_not_handed_over_again(house, autojump_clock):
    """After a restart it has nobody to answer, and keeps nobody else from a handle."""
    journal = MemoryJournal()
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await given_handle(client, seconds=30.0, handle_after_s=2.0)
    async with house(journal) as second, second.connect(session_id="other") as (client, _):
        await given_handle(client, seconds=30.0, handle_after_s=2.0)
        handed_over = len(second.calls.detached)

    assert 2 == handed_over


async def test_a_drain_leaves_it_to_the_next_daemon(house, autojump_clock):
    """A handle is a promise: what may run again does, and who waits in `result` is not told that it failed."""
    journal = MemoryJournal()
    async with house(journal, drain_s=2.0) as first, first.connect(session_id="win") as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
        await drain(first.sessions, first.connections)
    async with house(journal) as second, second.connect() as (client, _):
        answer = await fetched(client, handle["call_id"], wait_s=50)

    assert "slept 30" == answer.outputs[0].text
    assert 1 == second.naps.started


@attrs.define
class Refusing(MemoryJournal):
    """A journal that cannot keep a handle for some time."""

    refusals: int = 5

    async def hand_over(self, *handle):
        self.refusals -= 1
        if self.refusals > 0:
            raise StorageError("The disk is full.")
        await super().hand_over(*handle)


async def test_a_full_disk_keeps_nobody_from_the_handle(house, autojump_clock):
    """The handle goes out at once, and is written as soon as there is room: the next daemon knows the outcome."""
    journal = Refusing()
    async with house(journal) as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=3.0, handle_after_s=2.0)
        answer = await fetched(client, handle["call_id"])
    async with house(journal) as second, second.connect() as (client, _):
        kept = await fetched(client, handle["call_id"])

    assert "slept 3" == answer.outputs[0].text == kept.outputs[0].text
    assert 0 == second.naps.started


async def test_a_call_that_ends_while_another_is_handed_over_is_answered_once(
    house, autojump_clock
):
    """Its own handle is on its way to the disk then, and is what it is answered with; its outcome waits for that."""

    class Slow(MemoryJournal):
        async def hand_over(self, *change):
            await trio.sleep(0.3)
            await super().hand_over(*change)

    async with house(Slow()) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("a", seconds=60.0, handle_after_s=5.0)
        await client.nap("b", seconds=5.15, handle_after_s=5.0)
        answers = [await client.hear_until(CallResult) for _ in range(2)]
        await trio.sleep(10)
        running = daemon.sessions.table["win"].rules.running
        outcome = await fetched(client, answers[1].outputs[0].metadata["handle"])

    assert ["a", "b"] == [answer.request_id for answer in answers]
    assert "slept 5.15" == outcome.outputs[0].text
    assert 0 == running


async def test_a_late_hand_over_needs_nothing_that_the_session_forgets(house, autojump_clock):
    """The disk refuses it once; in the second until it is tried again the client has three hundred answers."""
    journal = Refusing()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
        for number in range(300):
            await client.nap(f"s{number}")
            await client.hear_until(CallResult)
            await client.acknowledge()
        await trio.sleep(3)
        answer = await fetched(client, handle["call_id"], wait_s=50)

    assert "slept 30" == answer.outputs[0].text


async def test_a_handle_that_was_not_written_is_tried_each_second_until_it_is(
    house, autojump_clock
):
    """And not any more after that."""
    journal = Refusing()
    async with house(journal) as daemon, daemon.connect() as (client, _):
        await given_handle(client, seconds=60.0, handle_after_s=2.0)
        await trio.sleep(1.5)
        soon = journal.refusals
        await trio.sleep(20)

    assert soon in {2, 3}
    assert 0 == journal.refusals


async def test_without_a_journal_nothing_is_left_of_a_handle(house, autojump_clock):
    """There is nowhere to write it: no task tries to."""
    async with house(durability="off", session_grace_s=5.0) as daemon, daemon.connect() as (client, _):  # fmt: skip
        before = len(daemon.calls._nursery.child_tasks)
        await given_handle(client, seconds=10.0, handle_after_s=2.0)
        await trio.sleep(30)
        after = len(daemon.calls._nursery.child_tasks)

    assert before == after


async def test_an_outcome_whose_handle_no_file_has_is_given_at_once(house, autojump_clock):
    """The file was set aside meanwhile: the outcome does not wait for a disk that will not know it."""
    journal = SetAside()
    async with house(journal) as daemon, daemon.connect() as (client, _):
        begin = trio.current_time()
        handle = await given_handle(client, seconds=10.0, handle_after_s=2.0)
        journal.set_aside()
        answer = await fetched(client, handle["call_id"], wait_s=60)
        took = trio.current_time() - begin

    assert "slept 10" == answer.outputs[0].text
    assert took < 12


async def test_no_handle_overtakes_its_acceptance(house, autojump_clock):
    """A call that is not on disk yet is not handed over; as soon as it is, it is overdue."""
    async with house(FullDisk(slow_s=5.0)) as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=30.0, handle_after_s=2.0)
        heard = [await client.hear(), await client.hear()]
        handle = json.loads(heard[1].outputs[0].text)
        answer = await fetched(client, handle["call_id"], wait_s=60)

    assert [CallAccepted, CallResult] == [type(message) for message in heard]
    assert 5 <= handle["elapsed_s"] < 6
    assert "slept 30" == answer.outputs[0].text


async def test_what_a_successor_has_taken_is_not_handed_over_here(house, autojump_clock):
    """It would answer the request a second time."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=30.0, handle_after_s=5.0)
        await client.hear_until(CallAccepted)
        daemon.context.shutdown.successor = object()
        await trio.sleep(10)
        running = [one.id for one in daemon.sessions.table.values() if one.calls.table]

    assert ["win"] == running


async def test_a_daemon_that_is_cut_while_a_handle_is_written_has_not_told_it(
    house, autojump_clock
):
    """The journal may not have it: the next daemon would run the call again, after its client has heard an outcome."""

    class Stalled(MemoryJournal):
        async def hand_over(self, *_change):
            await trio.sleep_forever()

    async with house(Stalled()) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=30.0, handle_after_s=2.0)
        await client.hear_until(CallAccepted)
        await trio.sleep(3)
        daemon.calls.cut()
        heard = None
        with trio.move_on_after(1):
            while isinstance(heard := await client.hear(), Progress):
                heard = None

    assert heard is None


async def test_a_handle_waits_no_longer_than_an_outcome_does(house, autojump_clock):
    """A disk that stalls for a minute: its client is not to give up first."""
    journal = SlowHandles()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await given_handle(client, seconds=90.0, timeout_s=90.0, handle_after_s=2.0)
        took = trio.current_time()

    assert 12 <= took < 13


async def test_a_handle_comes_at_its_time(house, autojump_clock):
    """Not at the next look of something that looks now and then; also when an earlier one comes in between."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("late", seconds=30.0, handle_after_s=5.03)
        await client.nap("soon", seconds=30.0, handle_after_s=1.01)
        heard = []
        for _ in range(2):
            outcome = await client.hear_until(CallResult)
            heard.append((outcome.request_id, round(trio.current_time(), 3)))

    assert [("soon", 1.01), ("late", 5.03)] == heard


async def test_an_old_client_gets_the_handle_as_text(house, autojump_clock):
    """A client of protocol 1 reads `text`."""
    async with house(handle_after_s=2.0) as daemon, daemon.connect(protocol=1) as (client, _):
        await client.nap(seconds=30.0)
        outcome = await client.hear_until(CallResult)

    assert "running" == json.loads(outcome.text)["status"]


async def test_nobody_takes_the_session_of_a_handle(house, autojump_clock):
    """Its name is refused as a client's own, known or not."""
    async with house() as daemon, daemon.connect() as (client, _):
        handle = await given_handle(client, seconds=30.0, handle_after_s=2.0)
        async with daemon.connect(session_id=handle["call_id"]) as (_, ack):
            taken = ack.session_id
        async with daemon.connect(session_id="call_" + "0" * 24) as (_, other):
            free = other.session_id

    assert not is_handle(taken)
    assert not is_handle(free)
    assert not ack.resumed


async def test_wherever_it_is_cut_permits_are_free(house, cancel_at_every_step, autojump_clock):
    """A daemon that is cut while it hands over leaves no permit taken and no task."""
    seen = []

    async def scenario():
        async with house() as daemon, daemon.connect() as (client, _):
            seen.append(daemon)
            with trio.move_on_after(0.4):
                await client.nap(seconds=30.0, handle_after_s=0.01)
                await client.hear_until(CallAccepted)
                await client.hear_until(CallResult)

    def all_free():
        assert seen.pop().free_permits == 24 if seen else True

    await cancel_at_every_step(scenario, all_free)
