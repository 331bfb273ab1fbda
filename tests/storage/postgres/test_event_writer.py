"""What becomes of events whose writer is cut off."""

import attrs
import pytest
import trio
from kept_calls import call

from exai_trio.errors import StorageError
from exai_trio.storage.journal_events import Accepted
from exai_trio.storage.postgres.event_writer import Entry, EventWriter
from exai_trio.storage.postgres.trio_connection import AnswerUnheard, DatabaseAway
from exai_trio.storage.shared.shared_calls import AnswerLost


class Hanging:
    """A database that does not answer."""

    async def ask(self, *_asked):
        await trio.sleep_forever()


@attrs.frozen
class Away:
    """A database that is not there any more."""

    fault: StorageError

    async def ask(self, *_asked):
        await trio.lowlevel.checkpoint()
        raise self.fault


@pytest.mark.parametrize(
    ("fault", "kind", "lost"),
    [(AnswerUnheard("gone"), AnswerLost, 1), (DatabaseAway("gone"), DatabaseAway, 0)],
)
async def test_what_may_be_written_is_told_from_what_is_not(autojump_clock, fault, kind, lost):
    """Whoever noted the event hears of it, and how often it happened is counted."""
    writer = EventWriter.of(Away(fault), "home", "boot")
    async with trio.open_nursery() as running:
        running.start_soon(writer.run)
        with pytest.raises(StorageError) as refused:
            await writer.write(Entry(Accepted(call("r1"))))
        running.cancel_scope.cancel()

    assert (kind, lost) == (type(refused.value), writer.answers_lost)


async def test_a_writer_that_is_cut_off_says_of_nothing_that_it_is_kept(autojump_clock):
    """Neither of what is on its way, nor of what waits: each is refused."""
    writer = EventWriter.of(Hanging(), "home", "boot")
    refused = []

    async def write(name):
        with pytest.raises(StorageError):
            await writer.write(Entry(Accepted(call(name))))
        refused.append(name)

    with trio.fail_after(60):
        async with trio.open_nursery() as writing:
            with trio.move_on_after(2):
                async with trio.open_nursery() as running:
                    running.start_soon(writer.run)
                    for name in ("on its way", "waits"):
                        writing.start_soon(write, name)
                        await trio.sleep(0.1)

    assert ["on its way", "waits"] == sorted(refused)
