"""A daemon dies and another one starts on its journal: what was accepted is answered once."""

from copy import deepcopy

import attrs
import pytest
import trio
from journal_in_memory import MemoryJournal
from lives import FullDisk, killed_mid_call

from exai_trio.daemon.control.drain import drain
from exai_trio.storage.sqlite.error_kinds import Unreadable
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import (
    Ack,
    CallAccepted,
    CallCancelling,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    Ping,
    Pong,
)


async def test_an_accepted_call_is_run_again_and_answered(house, journal, autojump_clock):
    """The client comes back with its last number: resumed, one outcome, no second acceptance."""
    last = await killed_mid_call(house, journal)
    async with house(journal) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, ack):  # fmt: skip
        outcome = await client.hear_until((CallAccepted, CallResult))
        await client.say(Ping())
        after = await client.hear()

    assert ack.resumed
    assert ("r1", "slept 10") == (outcome.request_id, outcome.outputs[0].text)
    assert isinstance(after, Pong)
    assert client.last_seq > last
    assert 1 == daemon.naps.started


async def test_a_call_runs_at_most_so_often(house, journal, autojump_clock):
    """After EXAI_CALL_MAX_ATTEMPTS runs that broke off, the outcome is INTERRUPTED and the tool is left alone."""
    last = await killed_mid_call(house, journal)
    async with house(journal) as second:
        await trio.sleep(1)
    async with house(journal) as third, third.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        outcome = await client.hear()

    assert (1, 0) == (second.naps.started, third.naps.started)
    assert ("INTERRUPTED", {"attempts": 2}) == (outcome.error.code, outcome.error.details)
    assert () == await journal.unfinished()


async def test_a_tool_that_is_not_repeatable_is_interrupted(house, journal, autojump_clock):
    """The daemon does not do twice what cannot be done twice."""
    last = await killed_mid_call(house, journal, repeatable=False)
    async with house(journal, repeatable=False) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        outcome = await client.hear()

    assert "INTERRUPTED" == outcome.error.code
    assert 0 == daemon.naps.started


async def test_a_kept_outcome_is_given_and_not_made_again(house, journal, autojump_clock):
    """The call ended while the client was away and then the daemon died: the next one gives the stored outcome."""
    async with house(journal) as first:
        async with first.connect(session_id="win") as (client, _):
            await client.nap(seconds=1.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        await trio.sleep(5)
    async with house(journal) as second, second.connect(session_id="win", last_seq=last) as (client, ack):  # fmt: skip
        replayed = await client.hear()
        await client.nap(seconds=1.0)
        repeated = await client.hear()
        await client.nap(seconds=2.0)
        reused = await client.hear()

    assert ack.resumed
    assert isinstance(replayed, CallResult)
    assert replayed == repeated
    assert "request_id_reused" == reused.error.details["reason"]
    assert (1, 0) == (first.naps.started, second.naps.started)


async def test_an_outcome_that_the_client_has_is_not_given_again(house, journal, autojump_clock):
    """Its number is below the client's last one, also when the daemon died before it heard the acknowledgement."""
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap()
        await client.hear_until(CallResult)
        last = client.last_seq
    async with house(journal) as second, second.connect(session_id="win", last_seq=last) as (client, ack):  # fmt: skip
        await client.say(Ping())
        after = await client.hear()

    assert ack.resumed
    assert isinstance(after, Pong)


async def test_what_was_refused_is_not_kept(house, journal, autojump_clock):
    """A refusal is no promise: nothing is written for it."""
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.say(CallTool(request_id="r", name="no_such_tool"))
        await client.hear()

    assert await journal.session("win") is None


async def test_numbers_go_on_above_all_that_were_given(house, journal, autojump_clock):
    """Refusals had numbers that were not written down; what comes after the restart is above them."""
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap(seconds=10.0)
        await client.hear_until(CallAccepted)
        for number in range(5):
            await client.say(CallTool(request_id=number, name="no_such_tool"))
            await client.hear()
        last = client.last_seq
    async with house(journal) as second:
        await trio.sleep(20)
        async with second.connect(session_id="win", last_seq=last) as (client, _):
            outcome = await client.hear()

    assert 6 == last
    assert isinstance(outcome, CallResult)


async def test_numbers_rise_over_lives_that_wrote_nothing_down(house, journal, autojump_clock):
    """Each life begins above all that the one before may have given, whatever that one wrote."""
    await killed_mid_call(house, journal)
    numbers = []
    for _ in range(3):
        async with house(journal, call_max_attempts=9) as daemon, daemon.connect(session_id="win") as (client, _):  # fmt: skip
            await client.say(CallTool(request_id="x", name="no_such_tool"))
            await client.hear_until(CallFailed)
            numbers.append(client.last_seq)

    assert sorted(set(numbers)) == numbers


async def test_a_session_that_ended_is_brought_back_by_its_client(house, journal, autojump_clock):
    """Long after the grace the outcome is still there."""
    async with house(journal, session_grace_s=30.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=1.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        await trio.sleep(400)
        living = list(daemon.sessions.table)
        async with daemon.connect(session_id="win", last_seq=last) as (client, ack):
            outcome = await client.hear()

    assert ([], True) == (living, ack.resumed)
    assert isinstance(outcome, CallResult)


async def test_a_call_of_a_session_nobody_comes_back_to_is_cancelled_for_good(
    house, journal, autojump_clock
):
    """Its outcome CANCELLED is kept, so the next daemon does not run it."""
    async with house(journal, session_grace_s=5.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=50.0)
            await client.hear_until(CallAccepted)
            last = client.last_seq
        await trio.sleep(20)
        async with daemon.connect(session_id="win", last_seq=last) as (client, _):
            outcome = await client.hear()

    assert "CANCELLED" == outcome.error.code
    assert () == await journal.unfinished()


async def test_another_principal_gets_no_kept_session(house, journal, autojump_clock):
    """An id is a handle, not a proof of identity."""
    async with house(journal, ws_token="a") as daemon, daemon.connect(session_id="win", token="a") as (client, _):  # fmt: skip
        await client.nap()
        await client.hear_until(CallResult)
    kept = await journal.session("win")
    stranger = attrs.evolve(kept.calls[0], principal="somebody else")
    await journal.accept(stranger)
    async with house(journal, ws_token="a") as daemon, daemon.connect(session_id="win", token="a") as (_, ack):  # fmt: skip
        pass

    assert not ack.resumed
    assert "win" != ack.session_id


async def test_a_running_call_of_an_earlier_daemon_can_be_cancelled(house, journal, autojump_clock):
    """It is a call like any other."""
    last = await killed_mid_call(house, journal)
    async with house(journal) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        await client.say(Cancel(request_id="r1"))
        heard = [await client.hear(), await client.hear()]

    assert [CallCancelling, CallFailed] == [type(message) for message in heard]
    assert "CANCELLED" == heard[1].error.code


async def test_the_drain_leaves_long_calls_to_the_next_daemon(house, journal, autojump_clock):
    """No outcome is made up: the client hears bye, comes back, and gets the real one."""
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap(seconds=20.0)
        await client.hear_until(CallAccepted)
        last = client.last_seq
        first.connections.start_soon(drain, first.sessions, first.connections)
        with pytest.raises(PeerGone) as gone:
            await client.hear_until(CallFailed)
    async with house(journal) as second, second.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        outcome = await client.hear_until(CallResult)

    assert 1012 == gone.value.code
    assert "slept 20" == outcome.outputs[0].text


async def test_a_call_that_cannot_be_written_down_is_refused(house, autojump_clock):
    """The refusal is the first and only frame about it, the tool does not run, and the next call may be taken."""
    journal = FullDisk(full=True)
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("a")
        refused = await client.hear()
        journal.full = False
        await client.nap("a", seconds=0.5)
        heard = [await client.hear(), await client.hear_until(CallResult)]

    assert ("a", "storage", True) == (refused.request_id, refused.error.category, refused.error.retryable)  # fmt: skip
    assert "not_journalled" == refused.error.details["reason"]
    assert isinstance(heard[0], CallAccepted)
    assert (1, 24) == (daemon.naps.started, daemon.free_permits)


async def test_an_outcome_that_cannot_be_written_down_is_given_all_the_same(house, autojump_clock):
    """The work is done; nobody is left waiting for a disk."""
    journal = FullDisk()
    async with house(journal) as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=1.0)
        await client.hear_until(CallAccepted)
        journal.full = True
        outcome = await client.hear_until(CallResult)

    assert "slept 1" == outcome.outputs[0].text


async def test_without_durability_a_full_disk_is_not_even_asked(house, autojump_clock):
    """EXAI_DURABILITY=off takes calls as they come."""
    async with house(FullDisk(full=True), durability="off") as daemon, daemon.connect() as (client, _):  # fmt: skip
        await client.nap()
        outcome = await client.hear_until(CallResult)

    assert "slept 0" == outcome.outputs[0].text


async def test_a_slow_disk_holds_nothing_up_but_what_must_wait(house, autojump_clock):
    """Ping is answered at once; acceptances and refusals keep their order; nothing overtakes an acceptance."""
    journal = FullDisk(slow_s=3.0)
    async with house(journal) as daemon, daemon.connect() as (client, _):
        await client.nap("a", stages=["thinking"])
        await client.say(CallTool(request_id="b", name="no_such_tool"), Ping())
        started = trio.current_time()
        first = await client.hear()
        at_once = trio.current_time() - started
        heard = [await client.hear() for _ in range(4)]

    assert isinstance(first, Pong)
    assert at_once < 0.1
    kinds = [(type(m).__name__, m.request_id) for m in heard]
    assert [("CallAccepted", "a"), ("CallFailed", "b"), ("Progress", "a"), ("CallResult", "a")] == kinds  # fmt: skip


async def test_a_client_that_comes_back_while_the_disk_writes_hears_all_once(house, autojump_clock):
    """What waits at the gate is not among what is replayed, and comes after it."""
    journal = FullDisk(slow_s=3.0)
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap("a", seconds=5.0)
            await trio.sleep(1)
        async with daemon.connect(session_id="win") as (client, _):
            heard = [await client.hear_until((CallAccepted, CallResult)) for _ in range(2)]
            await client.say(Ack(seq=client.last_seq), Ping())
            after = await client.hear()

    assert [CallAccepted, CallResult] == [type(message) for message in heard]
    assert isinstance(after, Pong)


async def test_what_was_asked_again_while_the_disk_writes_leaves_nothing_out(house, autojump_clock):
    """A client that then comes back hears every number in its place; what it had asked again may follow once more."""
    disk = FullDisk()
    async with house(disk) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap("a", seconds=0.1)
            await trio.sleep(1)
            disk.slow_s = 3.0
            await client.nap("b", seconds=0.1)
            await trio.sleep(0.1)
            await client.nap("a", seconds=0.1)
            await trio.sleep(0.1)
        async with daemon.connect(session_id="win", last_seq=0) as (client, _):
            numbers = []
            while 4 not in numbers:
                await client.hear_until((CallAccepted, CallResult))
                numbers.append(client.last_seq)

    assert [1, 2, 3, 4] == list(dict.fromkeys(numbers))


async def test_acknowledgements_reach_the_journal(house, journal, autojump_clock):
    """So that the sweep can forget; also when the session ends right after."""
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
            await client.acknowledge()
        await daemon.sessions.note_acks()
        kept = await journal.session("win")
        gone = await journal.sweep_calls(0.0, 300.0)

    assert (2, 1) == (kept.acked, gone)


@pytest.mark.parametrize("noted", [True, False], ids=["noted at once", "noted late"])
async def test_acknowledgements_of_an_earlier_life_hide_nothing(
    house, journal, autojump_clock, noted
):
    """A session that held nothing has ended; under its id the client begins anew, and after a kill hears what it has not heard."""
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            for number in range(3):
                await client.say(CallTool(request_id=f"x{number}", name="no_such_tool"))
                await client.hear_until(CallFailed)
            await client.say(Ack(seq=3))
        await trio.sleep(1)
        if noted:
            await daemon.sessions.note_acks()
        async with daemon.connect(session_id="win") as (client, again):
            await client.nap("r1", seconds=1.0)
            await client.hear_until(CallAccepted)
            await daemon.sessions.note_acks()
        await trio.sleep(3)
    async with house(journal) as second, second.connect(session_id="win", last_seq=1) as (client, ack):  # fmt: skip
        outcome = await client.hear_until(CallResult)

    assert (False, True) == (again.resumed, ack.resumed)
    assert "r1" == outcome.request_id


async def test_an_acknowledgement_of_a_session_that_ends_meanwhile_is_noted_next(
    house, autojump_clock
):
    """While the journal writes others; without a journal nothing is kept for it."""

    class Slow(MemoryJournal):
        async def acknowledge(self, acks, sure=None):
            await trio.sleep(1)
            await super().acknowledge(acks, sure)

    async with house(Slow()) as daemon, daemon.connect():
        daemon.sessions._acks.ended["gone"] = 1
        async with trio.open_nursery() as noting:
            noting.start_soon(daemon.sessions.note_acks)
            await trio.sleep(0.5)
            daemon.sessions._acks.ended["left"] = 2
        left = dict(daemon.sessions._acks.ended)
    async with house(durability="off") as daemon:
        async with daemon.connect(session_id="win"):
            pass
        await trio.sleep(1)
        unkept = dict(daemon.sessions._acks.ended)

    assert {"left": 2} == left
    assert {} == unkept


async def test_a_run_that_cannot_be_counted_waits_for_the_disk(house, autojump_clock):
    """An uncounted run could become one too many."""
    journal = FullDisk()
    last = await killed_mid_call(house, journal)
    journal.full = True
    async with house(journal) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        await trio.sleep(30)
        waited = daemon.naps.started
        journal.full = False
        outcome = await client.hear_until(CallResult)

    assert (0, 1) == (waited, daemon.naps.started)
    assert "slept 10" == outcome.outputs[0].text


async def test_a_run_that_is_cancelled_while_it_is_counted_does_not_begin(house, autojump_clock):
    """Its tool is not entered, not even up to its first wait."""
    disk = FullDisk()
    last = await killed_mid_call(house, disk)
    disk.slow_s = 2.0
    async with house(disk) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        await client.say(Cancel(request_id="r1"))
        outcome = await client.hear_until(CallFailed)

    assert "CANCELLED" == outcome.error.code
    assert 0 == daemon.naps.started


async def test_a_call_that_is_cancelled_while_it_is_written_down_does_not_begin(
    house, autojump_clock
):
    """It is accepted and has its outcome all the same."""
    async with house(FullDisk(slow_s=2.0)) as daemon, daemon.connect() as (client, _):
        await client.nap()
        await client.say(Cancel(request_id="r1"))
        heard = [await client.hear() for _ in range(3)]

    assert {CallAccepted, CallCancelling, CallFailed} == set(map(type, heard))
    assert 0 == daemon.naps.started


@attrs.define
class BrokenRow(MemoryJournal):
    """A journal in which the session of this name cannot be decoded."""

    broken: str = ""

    async def session(self, session):
        if session == self.broken:
            raise Unreadable("A call of the journal cannot be decoded.")
        return await super().session(session)


async def test_a_session_that_cannot_be_read_costs_no_other_anything(house, autojump_clock, caplog):
    """The calls of all others are run again; it is told once in the log and from then on in the troubles, and left as it is."""
    journal = BrokenRow()
    async with house(journal) as first:
        for name in ("aaa", "bbb", "ccc"):
            async with first.connect(session_id=name) as (client, _):
                await client.nap(seconds=10.0)
                await client.hear_until(CallAccepted)
    journal.broken = "bbb"
    async with house(journal) as second:
        restored = second.sessions.restored
        troubles = second.report.problems.told()
        await trio.sleep(11)

    assert restored
    assert 2 == second.naps.finished
    assert ("bbb",) == await journal.unfinished()
    assert 1 == len(troubles)
    assert troubles[0].startswith("sessions: calls of 1 of them cannot be read")
    told = [r.session for r in caplog.records if r.message == "session not restored"]
    assert ["bbb"] == told


async def test_a_restart_cut_at_any_step_loses_nothing(house, cancel_at_every_step, autojump_clock):
    """A daemon that takes up an old call may itself be cut anywhere: the call stays open or has its one outcome."""
    left, state = MemoryJournal(), {}
    await killed_mid_call(house, left)

    async def restart():
        journal = state["journal"] = deepcopy(left)
        async with house(journal) as daemon:
            state["daemon"] = daemon
            await trio.sleep(15)

    def kept():
        journal, daemon = state.pop("journal"), state.pop("daemon", None)
        (call,) = journal._calls.values()
        if daemon is not None:
            assert (0, 24) == (daemon.counted.running, daemon.free_permits)
            assert daemon.naps.started <= call.attempts - 1
            assert call.outcome is None or daemon.naps.finished == 1

    steps = await cancel_at_every_step(restart, kept)

    assert steps > 20


@pytest.mark.parametrize(
    ("repeatable", "attempts", "said"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
async def test_the_acceptance_says_whether_another_daemon_may_run_the_call(
    house, autojump_clock, repeatable, attempts, said
):
    """For a client whose daemon has forgotten it, as one without a journal does."""
    async with (
        house(repeatable=repeatable, durability="off", call_max_attempts=attempts) as daemon,
        daemon.connect() as (client, _),
    ):
        await client.nap(seconds=1.0)
        accepted = await client.hear_until(CallAccepted)

    assert said == accepted.repeatable
