"""What a daemon takes up of an earlier one, and what it leaves to the next: calls, sessions, acknowledgements."""

import attrs
import trio
from journal_in_memory import MemoryJournal
from lives import killed_mid_call

from exai_trio.daemon.control.drain import drain
from exai_trio.wire.messages import CallAccepted, CallFailed, CallResult


async def test_a_call_that_is_broken_off_leaves_nothing_running(house, journal, autojump_clock):
    """It counts as a call that was accepted and failed; a drain does not wait for it."""
    last = await killed_mid_call(house, journal, repeatable=False)
    async with house(journal, repeatable=False) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        await client.hear()
        figures, calls = daemon.counted, daemon.sessions.table["win"].calls

        assert (1, 1, 0) == (figures.accepted, figures.failed, figures.running)
        assert {} == calls.table


async def test_two_connections_that_come_back_at_once_find_one_session(house, journal, autojump_clock):  # fmt: skip
    """It is brought back from the journal once, whoever was faster."""
    async with house(journal, session_grace_s=30.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
        await trio.sleep(400)
        resumed = []

        async def come_back():
            async with daemon.connect(session_id="win") as (_, ack):
                resumed.append(ack.resumed)

        async with trio.open_nursery() as clients:
            clients.start_soon(come_back)
            clients.start_soon(come_back)

        assert [True, True] == resumed
        assert 1 == daemon.counted.sessions == len(daemon.sessions.table)


async def test_a_session_that_cannot_be_read_keeps_no_other_from_coming_back(house, journal, autojump_clock):  # fmt: skip
    """What an earlier daemon wrote is not understood: its client begins anew, and all others are served."""
    await killed_mid_call(house, journal)
    (call,) = (await journal.session("win")).calls
    await journal.accept(attrs.evolve(call, session="a broken one", frame="{"))
    async with house(journal) as daemon:
        restored, living = daemon.sessions.restored, set(daemon.sessions.table)
        await trio.sleep(20)

    assert (True, {"win"}) == (restored, living)
    assert 1 == daemon.naps.finished


async def test_a_call_that_is_none_for_this_daemon_is_refused(house, journal, autojump_clock):
    """Its tool is gone since it was accepted: its client hears so, and it is open no more."""
    last = await killed_mid_call(house, journal)
    (call,) = (await journal.session("win")).calls
    left = MemoryJournal()
    await left.accept(attrs.evolve(call, frame=call.frame.replace('"nap"', '"gone"')))
    async with house(left) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        outcome = await client.hear_until(CallFailed)

    assert ("TOOL_NOT_FOUND", True) == (outcome.error.code, "gone" in outcome.error.message)
    assert () == await left.unfinished()


async def test_the_drain_interrupts_long_calls_that_must_not_run_again(house, journal, autojump_clock):  # fmt: skip
    """Nobody is to take them up: the client hears so, and the journal has it."""
    async with house(journal, repeatable=False) as daemon, daemon.connect(session_id="win") as (client, _):  # fmt: skip
        await client.nap(seconds=50.0)
        await client.hear_until(CallAccepted)
        daemon.connections.start_soon(drain, daemon.sessions, daemon.connections)
        outcome = await client.hear_until(CallFailed)

    assert "INTERRUPTED" == outcome.error.code
    assert () == await journal.unfinished()


async def test_the_drain_leaves_a_rerun_to_the_next_daemon_if_that_may_run_it(house, journal, autojump_clock):  # fmt: skip
    """Each run is counted once, whoever began it."""
    last = await killed_mid_call(house, journal)
    for _ in range(2):
        async with house(journal, call_max_attempts=4) as daemon:
            await trio.sleep(1)
            await drain(daemon.sessions, daemon.connections)
    async with house(journal, call_max_attempts=4) as daemon, daemon.connect(session_id="win", last_seq=last) as (client, _):  # fmt: skip
        outcome = await client.hear_until((CallResult, CallFailed))

    assert isinstance(outcome, CallResult)


class CountsAcks(MemoryJournal):
    """A journal that knows what it was told of acknowledgements."""

    def __init__(self):
        super().__init__()
        self.told = []

    async def acknowledge(self, acks, sure=None):
        self.told.append(dict(acks))
        await super().acknowledge(acks, sure)


async def test_the_journal_is_told_of_an_acknowledgement_once(house, autojump_clock):
    """Nothing is written when nothing is new; a session that has ended meanwhile is not forgotten."""
    journal = CountsAcks()
    async with house(journal, session_grace_s=5.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await daemon.sessions.note_acks()
            await client.nap("a")
            await client.hear_until(CallResult)
            await client.acknowledge()
            await trio.sleep(1)
            for _ in range(2):
                await daemon.sessions.note_acks()
            await client.nap("b")
            await client.hear_until(CallResult)
            await client.acknowledge()
        await trio.sleep(20)
        ended = set(daemon.sessions.table)
        for _ in range(2):
            await daemon.sessions.note_acks()

    assert set() == ended
    assert [{"win": 2}, {"win": 4}] == journal.told


async def test_without_a_journal_acknowledgements_are_told_to_nobody(house, autojump_clock):
    """The job that would tell it goes on."""
    async with house(durability="off") as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap()
        await client.hear_until(CallResult)
        await client.acknowledge()
        await trio.sleep(1)
        await daemon.sessions.note_acks()

        assert 2 == daemon.sessions.table["win"].rules.acked
