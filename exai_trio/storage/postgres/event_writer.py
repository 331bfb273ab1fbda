"""One task writes the journal's events: what comes while a batch is on its way becomes the next, in one statement."""

from typing import Final, Literal

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.journal_events import AnyEvent
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.trio_connection import AnswerUnheard, DataRefused
from exai_trio.storage.shared.shared_calls import AnswerLost

_WAITING: Final = 1024  # events; beyond that writers wait to be accepted
_BATCH: Final = 256
_NOTE: Final = "select public.exai_note_under(%s, %s, %s::jsonb)"

Became = Literal["kept", "unknown", "untold", "stands", "superseded"]


class Entry(msgspec.Struct):
    """An event, under which epoch of its session (0: of none), and in which run of its call (-1: in whichever)."""

    event: AnyEvent
    epoch: int = 0
    attempt: int = -1


@structs.define(eq=False)
class _Writing:
    """An entry, and what became of it once it is settled, or why it was not written; neither if the writer was cut off."""

    entry: Entry
    became: Became | None = None
    fault: StorageError | None = None
    settled: trio.Event = attrs.field(factory=trio.Event)


@structs.define(eq=False)
class EventWriter:
    """For one process of the daemon of a home. `run` writes until `close`, or until it is cancelled: what is not written then is
    refused. `answers_lost` counts the statements that may have been carried out."""

    database: Database
    home: str
    boot_id: str
    _entry: trio.MemorySendChannel[_Writing]
    _exit: trio.MemoryReceiveChannel[_Writing]
    answers_lost: int = 0

    @classmethod
    def of(cls, database: Database, home: str, boot_id: str) -> "EventWriter":
        return cls(database, home, boot_id, *trio.open_memory_channel[_Writing](_WAITING))

    async def write(self, entry: Entry) -> Became:
        """What became of it. Raises StorageError, AnswerLost; cancelling leaves it written or not written."""
        writing = _Writing(entry)
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            # `send` alone would be a turn of the scheduler for each event.
            try:
                self._entry.send_nowait(writing)
            except trio.WouldBlock:
                await self._entry.send(writing)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise StorageError("The store is closed.") from None
        await writing.settled.wait()
        if writing.became is None:
            raise writing.fault or StorageError("The store is closed.")
        return writing.became

    async def run(self) -> None:
        """Cancelling refuses what was not written."""
        try:
            async for first in self._exit:
                await self._write([first, *self._at_hand()])
        finally:
            while waiting := self._at_hand():
                for one in waiting:
                    one.settled.set()
            self._exit.close()

    def close(self) -> None:
        """Nothing is accepted from now on; what waits is written, and then `run` ends."""
        self._entry.close()

    def _at_hand(self) -> list[_Writing]:
        count = min(self._exit.statistics().current_buffer_used, _BATCH - 1)
        return [self._exit.receive_nowait() for _ in range(count)]

    async def _write(self, batch: list[_Writing]) -> None:
        try:
            await self._write_at_once(batch)
        except DataRefused as fault:
            if len(batch) == 1:
                batch[0].fault = fault
            else:  # one of them is it: the others are written without it
                for one in batch:
                    await self._write([one])
        except AnswerUnheard as fault:
            self.answers_lost += 1
            for one in batch:
                one.fault = AnswerLost(fault.message, details=fault.details)
        except StorageError as fault:
            for one in batch:
                one.fault = fault
        finally:
            for one in batch:
                one.settled.set()

    async def _write_at_once(self, batch: list[_Writing]) -> None:
        entries = msgspec.json.encode([one.entry for one in batch]).decode()
        ((results,),) = await self.database.ask(_NOTE, self.home, self.boot_id, entries)
        for one, became in zip(batch, results, strict=True):
            one.became = became
