"""A call of which no handle was told is over once it is acknowledged; any other is kept for whoever asks."""

import pytest
import trio
from journal_in_memory import MemoryJournal

from exai_trio.daemon.sessions.handles_told import HandlesTold
from exai_trio.storage.journal import NoHandles
from exai_trio.wire.messages import Ack, CallResult


def test_what_is_said_with_acknowledgements_is_one_stretch_until_the_journal_has_it():
    told = HandlesTold()
    told.note(0, 2, ["a"], is_any_open=True)
    told.note(2, 4, ["b"], is_any_open=True)
    first = told.sure(4)
    told.note(4, 6, [], is_any_open=True)
    told.kept(4)
    second = told.sure(6)
    told.kept(6)
    told.note(6, 7, [], is_any_open=False)

    assert NoHandles(0, ("a", "b")) == first
    assert NoHandles(4, ("a", "b")) == second
    assert NoHandles(6) == told.sure(7)


def test_of_what_was_acknowledged_without_a_word_nothing_is_sure():
    """Nor of what came before that and is not in the journal yet."""
    told = HandlesTold()
    told.note(0, 2, ["a"], is_any_open=True)
    silent = told.sure(5)
    told.note(5, 6, [], is_any_open=True)

    assert (None, NoHandles(5)) == (silent, told.sure(6))


def test_after_another_process_nothing_is_sure_until_all_that_was_open_is_over():
    told = HandlesTold(in_doubt=True)
    told.note(0, 2, [], is_any_open=True)
    told.note(2, 4, [], is_any_open=False)
    while_open = told.sure(4)
    told.note(4, 6, [], is_any_open=True)

    assert (None, NoHandles(4)) == (while_open, told.sure(6))


@pytest.mark.parametrize(
    ("handles", "kept"), [([], False), (["other"], False), (["r1"], True), (None, True)]
)
async def test_only_what_a_handle_may_ask_for_is_kept_after_its_acknowledgement(
    house, autojump_clock, handles, kept
):
    """An older client says nothing of handles: what it has may be asked for."""
    journal = MemoryJournal()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("r1", handle_after_s=50.0)
        await client.hear_until(CallResult)
        said = Ack(seq=2) if handles is None else Ack(seq=2, handles=handles)
        await client.say(said)
        await trio.sleep(1)
        await daemon.sessions.note_acks()
        await journal.sweep_calls(None, 0.0)
        left = await journal.session("win")

    assert kept == (left is not None)


async def test_an_acknowledgement_by_a_hello_says_nothing_of_handles(house, autojump_clock):
    """It may take the place of one that named some, and was lost."""
    journal = MemoryJournal()
    async with house(journal) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap("r1", handle_after_s=50.0)
            await client.hear_until(CallResult)
        async with daemon.connect(session_id="win", last_seq=2) as (client, _):
            await client.nap("r2", handle_after_s=50.0)
            await client.hear_until(CallResult)
            await client.say(Ack(seq=4, handles=[]))
            await trio.sleep(1)
            await daemon.sessions.note_acks()
            await journal.sweep_calls(None, 0.0)
            left = await journal.session("win")

    assert ['"r1"'] == [call.request for call in left.calls]


async def test_a_process_that_takes_a_session_over_does_not_speak_for_the_one_before(
    house, autojump_clock
):
    """That one gives handles of what it had open."""
    journal = MemoryJournal()
    async with house(journal) as daemon, daemon.connect(session_id="win") as (first, _):
        await first.nap("r1", seconds=5.0, handle_after_s=50.0)
        await trio.sleep(1)
        async with daemon.connect(session_id="win") as (second, _):
            await second.hear_until(CallResult)
            await second.say(Ack(seq=2, handles=[]))
            await trio.sleep(1)
            await second.nap("r2", handle_after_s=50.0)
            await second.hear_until(CallResult)
            await second.say(Ack(seq=4, handles=[]))
            await trio.sleep(1)
            await daemon.sessions.note_acks()
            await journal.sweep_calls(None, 0.0)
            left = await journal.session("win")

    assert ['"r1"'] == [call.request for call in left.calls]
