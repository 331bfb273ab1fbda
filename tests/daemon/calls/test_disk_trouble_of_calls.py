"""A journal that cannot be read, a disk that is slow or full for long, ends that overtake each other: an acknowledged call
still gets one answer, and no session another one's."""

import attrs
import jwt
import pytest
import trio
from journal_in_memory import MemoryJournal

from exai_trio.daemon.takeover.successor import interrupted
from exai_trio.errors import StorageError
from exai_trio.storage.sqlite.error_kinds import NotKept
from exai_trio.wire.messages import (
    Bye,
    CallAccepted,
    CallCancelling,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    HelloAck,
    Progress,
)

SECRET = "a secret that is long enough for its algorithm"
LATER = 2_000_000_000


@attrs.define
class Disk(MemoryJournal):
    """Refuses what `refused` names and the session `unread`, and takes `slow_s` for each new call."""

    refused: set[str] = attrs.field(factory=set)
    slow_s: float = 0.0
    unread: str = ""

    def _look(self, what):
        if what in self.refused:
            raise StorageError(f"cannot {what}")

    async def session(self, session):
        self._look("read")
        if session == self.unread:
            raise StorageError(f"cannot read {session}")
        return await super().session(session)

    async def accept(self, call):
        self._look("accept")
        await trio.sleep(self.slow_s)
        await super().accept(call)

    async def run_again(self, session, request):
        self._look("count")
        await super().run_again(session, request)

    async def finish(self, session, request, outcome):
        self._look("finish")
        await super().finish(session, request, outcome)

    async def number_from(self, session, base):
        self._look("number")
        await super().number_from(session, base)


async def heard_within(client, seconds):
    """What comes in that time, but for progress, as (kind, request_id)."""
    heard = []
    with trio.move_on_after(seconds):
        while True:
            message = await client.hear()
            if not isinstance(message, Progress):
                heard.append((type(message).__name__, message.request_id))
    return heard


async def left_running(house, journal):
    """A daemon that dies while r1 of the session `win` runs. Returns the client's last number."""
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=10.0)
        await client.hear_until(CallAccepted)
        return client.last_seq


# A journal that cannot be read


async def test_a_client_waits_for_a_journal_that_cannot_be_read(house, autojump_clock):
    """What it may have there is not begun anew: it is told to come again, and then has its session and its answer."""
    journal = Disk()
    last = await left_running(house, journal)
    journal.refused = {"read"}
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win", last_seq=last) as (_, goodbye):
            pass
        journal.refused = set()
        async with daemon.connect(session_id="win", last_seq=last) as (client, ack):
            heard = await heard_within(client, 60)
        kept = await journal.session("win")

    assert isinstance(goodbye, Bye)
    assert 1.0 == goodbye.retry_after_s
    assert ack.resumed
    assert [("CallResult", "r1")] == heard
    assert 2 == kept.calls[0].attempts


@pytest.mark.parametrize("late", [False, True])
async def test_nobody_is_kept_out_for_a_journal_that_stays_unreadable(house, autojump_clock, late):
    """Who has nothing to lose is let in at once, who has, after a while; under another name, for what is there is not theirs."""
    journal = Disk()
    last = await left_running(house, journal)
    journal.refused = {"read"}
    async with house(journal) as daemon:
        if late:
            async with daemon.connect(session_id="win", last_seq=last):
                pass
            await trio.sleep(16)
        seen = last if late else 0
        async with daemon.connect(session_id="win", last_seq=seen) as (client, ack):
            await client.nap()
            heard = await heard_within(client, 60)

    assert (True, False) == (ack.ok, ack.resumed)
    assert "win" != ack.session_id
    assert ("CallResult", "r1") in heard


async def test_each_client_is_waited_for_anew(house, autojump_clock):
    """A lock of long ago, which another client met, has used up nobody's patience."""
    journal = Disk()
    last = await left_running(house, journal)
    async with house(journal) as daemon, daemon.connect(session_id="other") as (client, _):
        await client.nap()
        await client.hear_until(CallResult)
        others = client.last_seq
    journal.refused = {"read"}
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win", last_seq=last):
            pass
        await trio.sleep(1000)
        async with daemon.connect(session_id="other", last_seq=others) as (_, goodbye):
            pass

    assert isinstance(goodbye, Bye)


async def test_one_session_that_stays_unreadable_is_not_waited_for_for_ever(house, autojump_clock):
    """Though the journal has all others: their clients come and go, and its own is let in after a while."""
    journal = Disk()
    last = await left_running(house, journal)
    journal.unread = "win"
    async with house(journal) as daemon:
        said = None
        with trio.fail_after(20):
            while not isinstance(said, HelloAck):
                async with daemon.connect(session_id="someone", last_seq=0):
                    pass
                async with daemon.connect(session_id="win", last_seq=last) as (_, said):
                    await trio.sleep(1)

    assert not said.resumed


async def test_an_unread_journal_mixes_no_ones_calls(house, autojump_clock):
    """Who asks for a session that cannot be looked up never gets its name: its owner would hear their answers."""
    journal = Disk()
    await heard_by("ann", house, journal, "of ann")
    journal.refused = {"read"}
    await heard_by("bob", house, journal, "of bob")
    journal.refused = set()
    heard = await heard_by("ann", house, journal, "again of ann")

    assert {"of ann", "again of ann"} == {request_id for _, request_id in heard}


async def heard_by(name, house, journal, request_id):
    """What a person hears who comes with the session `win` and calls once, in a daemon of its own."""
    token = jwt.encode({"sub": name, "exp": LATER}, SECRET)
    async with (
        house(journal, jwt_secret_key=SECRET) as daemon,
        daemon.connect(session_id="win", jwt=token) as (client, _),
    ):
        await client.nap(request_id)
        return await heard_within(client, 5)


async def test_records_that_mean_nothing_are_not_mixed_with_new_ones(house, autojump_clock):
    """A session that cannot be restored keeps its name for whoever mends it; its client begins under another."""
    journal = MemoryJournal()
    last = await left_running(house, journal)
    broken = attrs.evolve((await journal.session("win")).calls[0], frame='{"op":"ping"}')
    await journal.accept(broken)
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win", last_seq=last) as (client, ack):
            await client.nap()
            heard = await heard_within(client, 5)
        kept = (await journal.session("win")).calls

    assert (False, True) == (ack.resumed, "win" != ack.session_id)
    assert [("CallAccepted", "r1"), ("CallResult", "r1")] == heard
    assert [broken] == list(kept)


# A disk that takes nothing for long


async def test_numbers_that_could_not_be_written_down_are_not_given_again(house, autojump_clock):
    """A daemon on a full disk numbers its refusals; the outcome that the next one brings is news all the same."""
    journal = Disk()
    last = await left_running(house, journal)
    journal.refused = {"accept", "count", "number"}
    async with house(journal) as second:
        async with second.connect(session_id="win", last_seq=last) as (client, ack):
            await client.nap("r2")
            await client.hear_until(CallFailed)
            last = client.last_seq
        await trio.sleep(0.01)
    journal.refused = set()
    async with house(journal) as third:
        await trio.sleep(20)
        async with third.connect(session_id="win", last_seq=last) as (client, again):
            heard = await heard_within(client, 5)

    assert (True, True) == (ack.resumed, again.resumed)
    assert [("CallResult", "r1")] == heard


async def test_a_session_stays_until_its_last_outcome_is_kept(house, autojump_clock):
    """Its client has the answer and the disk has not: without the session the call would be open, and be run again."""
    journal = Disk(refused={"finish"})
    async with house(journal, session_grace_s=5.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
            await client.acknowledge()
            last = client.last_seq
        await trio.sleep(40)
        journal.refused = set()
        async with daemon.connect(session_id="win", last_seq=last) as (client, ack):
            heard = await heard_within(client, 5)
        await trio.sleep(20)
        sessions = set(daemon.sessions.table)

    assert ack.resumed
    assert [] == heard
    assert 1 == daemon.naps.started
    assert set() == sessions


async def test_a_client_that_came_back_has_its_whole_grace(house, autojump_clock):
    """Also where a call that was handed over outlasted an earlier absence: its end does not end the session."""
    async with house(session_grace_s=5.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap("long", seconds=40.0, handle_after_s=1.0)
            await client.hear_until(CallResult)
            last = client.last_seq
        await trio.sleep(20)
        async with daemon.connect(session_id="win", last_seq=last) as (client, _):
            await client.nap("r2", seconds=30.0)
            await client.hear_until(CallAccepted)
            await trio.sleep(17)
            last = client.last_seq
        await trio.sleep(4)
        async with daemon.connect(session_id="win", last_seq=last) as (client, ack):
            heard = await heard_within(client, 60)

    assert ack.resumed
    assert [("CallResult", "r2")] == heard
    assert (2, 2) == (daemon.naps.started, daemon.naps.finished)


class AFreshFile(MemoryJournal):
    """The file in which the calls were has been set aside."""

    async def hand_over(self, *_):
        raise NotKept("no such call")


async def test_a_handle_outlives_the_file_in_which_its_call_was(house, autojump_clock):
    """The request is not there to be ended, but what goes on is written into the fresh file: its handle was given."""
    journal = AFreshFile()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=30.0, handle_after_s=1.0)
        handle = (await client.hear_until(CallResult)).outputs[0].metadata["handle"]
        await trio.sleep(2)
        kept = await journal.session(handle)

    assert "nap" in kept.calls[0].frame


@attrs.define
class Stalls(MemoryJournal):
    """The first handle is not taken in any time."""

    hangs: bool = True

    async def hand_over(self, *given):
        if self.hangs:
            self.hangs = False
            await trio.sleep_forever()
        await super().hand_over(*given)


async def test_a_handle_that_the_disk_did_not_take_in_time_is_written_later(house, autojump_clock):
    """Its client has it after ten seconds; what goes on is on disk soon after."""
    journal = Stalls()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap(seconds=60.0, handle_after_s=1.0)
        handle = (await client.hear_until(CallResult)).outputs[0].metadata["handle"]
        early = await journal.session(handle)
        await trio.sleep(5)
        kept = await journal.session(handle)

    assert early is None
    assert "nap" in kept.calls[0].frame
    assert kept.calls[0].resumable


# Ends that overtake each other


async def test_a_cancel_that_was_taken_is_not_undone_by_the_drain(house, autojump_clock):
    """The tool still closes what it had open when the daemon leaves its calls to the next one: this one is none of them."""
    journal = MemoryJournal()
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=10.0, slow_to_end=0.5)
            await client.hear_until(CallAccepted)
            await client.say(Cancel(request_id="r1"))
            await client.hear_until(CallCancelling)
            last = client.last_seq
        daemon.calls.leave_all(interrupted(0.0))
        await trio.sleep(2)
    async with (
        house(journal) as second,
        second.connect(session_id="win", last_seq=last) as (client, _),
    ):
        outcome = await client.hear_until((CallFailed, CallResult))

    assert "CANCELLED" == outcome.error.code
    assert 0 == second.naps.started


async def test_an_older_clients_frames_take_nothing_from_the_replay(house, autojump_clock):
    """What waits for the disk for a client of protocol 1 has no number; who takes the session over misses only numbered ones."""
    journal = Disk()
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=1.0)
            await client.hear_until(CallAccepted)
        await trio.sleep(5)
        journal.slow_s = 5.0
        async with daemon.connect(session_id="win", protocol=1) as (old, _):
            await old.nap("r2", seconds=1.0)
            await trio.sleep(1)
            async with daemon.connect(session_id="win", last_seq=1) as (client, _):
                heard = await heard_within(client, 3)

    assert ("CallResult", "r1") in heard


@attrs.define
class LandsLate(MemoryJournal):
    """A disk that stalls: what it was given it takes later, whether or not anybody waits for it still."""

    stalled: list = attrs.field(factory=list)
    landed: trio.Event = attrs.field(factory=trio.Event)

    async def note(self, event):
        if self.landed.is_set():
            await super().note(event)
        else:
            self.stalled.append(event)
            await self.landed.wait()

    def land(self):
        for event in self.stalled:
            self._apply(event)
        self.landed.set()


async def test_a_report_whose_acceptance_comes_to_the_disk_late_is_answered_once(
    house, autojump_clock
):
    """Nobody waits for such a disk; but what it takes in the end has its outcome, and is taken up by no other daemon."""
    journal = LandsLate()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.say(CallTool(request_id="r1", name="version"))
        await client.hear_until(CallResult)
        journal.land()
        await trio.sleep(20)
        unfinished = await journal.unfinished()
        (kept,) = (await journal.session("win")).calls

    assert ((), '"r1"') == (unfinished, kept.request)
    assert '"ok":true' in kept.outcome.frame
