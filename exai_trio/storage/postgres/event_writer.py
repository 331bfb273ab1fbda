"""One task writes the journal's events: what comes while a batch is on its way becomes the next, in one statement."""

from typing import Final

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.journal_events import AnyEvent
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.trio_connection import DataRefused

_WAITING: Final = 1024  # events; beyond that writers wait to be accepted
_BATCH: Final = 256
_NOTE: Final = "select public.exai_note(%s, %s::jsonb)"


@structs.define(eq=False)
class _Writing:
    """An event, and what became of it once it is settled: whether its call is kept, or why it was not written."""

    event: AnyEvent
    is_kept: bool = False
    fault: StorageError | None = None
    settled: trio.Event = attrs.field(factory=trio.Event)


@structs.define(eq=False)
class EventWriter:
    """For the daemon of a home. `run` writes until `close`, or until it is cancelled: what is not written then is refused."""

    database: Database
    home: str
    _entry: trio.MemorySendChannel[_Writing]
    _exit: trio.MemoryReceiveChannel[_Writing]

    @classmethod
    def of(cls, database: Database, home: str) -> "EventWriter":
        return cls(database, home, *trio.open_memory_channel[_Writing](_WAITING))

    async def write(self, event: AnyEvent) -> bool:
        """Whether its call is kept. Raises StorageError; cancelling leaves it written or not written."""
        writing = _Writing(event)
        try:
            await self._entry.send(writing)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise StorageError("The store is closed.") from None
        await writing.settled.wait()
        if writing.fault is not None:
            raise writing.fault
        return writing.is_kept

    async def run(self) -> None:
        """Cancelling refuses what was not written."""
        try:
            async for first in self._exit:
                await self._write([first, *self._at_hand()])
        finally:
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
        except StorageError as fault:
            for one in batch:
                one.fault = fault
        finally:
            for one in batch:
                one.settled.set()

    async def _write_at_once(self, batch: list[_Writing]) -> None:
        events = msgspec.json.encode([one.event for one in batch]).decode()
        ((kept,),) = await self.database.ask(_NOTE, self.home, events)
        for one, is_kept in zip(batch, kept, strict=True):
            one.is_kept = is_kept
