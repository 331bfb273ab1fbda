"""What becomes of events whose writer is cut off."""

import pytest
import trio
from kept_calls import call

from exai_trio.errors import StorageError
from exai_trio.storage.journal_events import Accepted
from exai_trio.storage.postgres.event_writer import Entry, EventWriter


class Hanging:
    """A database that does not answer."""

    async def ask(self, *_asked):
        await trio.sleep_forever()


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
