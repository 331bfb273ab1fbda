"""The disk of the simulation: a journal whose writes take time, fail while it is full, and may be lost or done at a crash."""

import random

import attrs
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.memory.journal import MemoryJournal


@attrs.define(eq=False)
class Disk(MemoryJournal):
    """What is in it outlives the daemon."""

    draw: random.Random = attrs.field(factory=random.Random, kw_only=True)
    full_until: float = attrs.field(default=0.0, kw_only=True)
    refused: set = attrs.field(factory=set, kw_only=True)  # calls whose outcome it has once refused
    slowest: float = attrs.field(default=0.5, kw_only=True)

    def kept(self, key: str):
        """What there is of the call that its editor knows as "window:id"."""
        return self._calls.get((f"shim_{key.partition(':')[0]}", f'"{key}"'))

    async def _write(self, write, *arguments) -> None:
        try:
            await trio.sleep(self.draw.choice((0.0, 0.0, 0.001, 0.005, self.slowest)))
        except trio.Cancelled:
            if self.draw.random() < 0.5:  # the crash came after the write, before its word of it
                with trio.CancelScope(shield=True):
                    await write(*arguments)
            raise
        if self.full_until > trio.current_time():
            raise StorageError("The disk is full.")
        await write(*arguments)

    async def accept(self, call) -> None:
        await self._write(super().accept, call)

    async def run_again(self, session, request) -> None:
        await self._write(super().run_again, session, request)

    async def finish(self, session, request, outcome) -> None:
        try:
            await self._write(super().finish, session, request, outcome)
        except StorageError:
            self.refused.add(request.strip('"'))
            raise

    async def hand_over(self, session, request, outcome, begun) -> None:
        try:
            await self._write(super().hand_over, session, request, outcome, begun)
        except StorageError:
            self.refused.add(request.strip('"'))
            raise
