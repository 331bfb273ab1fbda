"""Frames on their way into a stream: one write at a time, and none behind one that was cut."""

import math
from contextlib import suppress
from typing import Final

import attrs
import trio

from exai_trio import structs

from ..write_nowait import written_at_once
from .liveness import Life

GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
_PIECE_BYTES: Final = 65_536  # of a long write: a peer that takes so much in time reads


@structs.define(eq=False, repr=False, weakref_slot=False)  # small: one for each connection
class WriteTurn:
    """As trio's fair lock, but small, and taking it while it is free costs no turn of the scheduler."""

    is_taken: bool = False
    _waiting: trio.lowlevel.ParkingLot | None = None

    def take_nowait(self) -> None:
        """Only while it is not taken."""
        self.is_taken = True

    async def take(self) -> None:
        """Return once it is ours, until it is given back. Cancelled meanwhile, it never is."""
        if self.is_taken:
            self._waiting = self._waiting or trio.lowlevel.ParkingLot()
            await self._waiting.park()
        self.is_taken = True

    def give_back(self) -> None:
        """Whoever has waited longest has it now."""
        if self._waiting:
            self._waiting.unpark()
        else:
            self.is_taken, self._waiting = False, None


@structs.define(eq=False, repr=False, weakref_slot=False)  # small: one for each connection
class FrameWriter:
    """`cut` is true once a write ended midway: the peer would take the next bytes for part of the old ones, so the stream is
    closed then."""

    _stream: trio.abc.Stream
    _background: trio.Nursery
    _life: Life
    cut: bool = False
    _owed: bytes = b""
    _turn: WriteTurn = attrs.field(factory=WriteTurn)

    async def write(self, data: bytes, limit_s: float) -> bool:
        """Write behind those who came before. False if for `limit_s` the peer took nothing of it.

        Raises BrokenResourceError or ClosedResourceError. Cancelling cuts the stream, unless its turn had not come.
        """
        if self._turn.is_taken:
            await self._turn.take()
        else:
            self._turn.take_nowait()
            data = data[written_at_once(self._stream, data) :]
        try:
            return not data or await self._write(data, limit_s)
        finally:
            self._turn.give_back()

    async def _write(self, data: bytes, limit_s: float) -> bool:
        left = memoryview(data)
        try:
            with self._life.writing(limit_s):
                while left:
                    await self._stream.send_all(left[:_PIECE_BYTES])
                    self._life.read()
                    left = left[_PIECE_BYTES:] or memoryview(self._take_owed())
        finally:
            if left:
                self.cut = True
                await trio.aclose_forcefully(self._stream)
        return not left

    @property
    def owes(self) -> bool:
        return bool(self._owed)

    def owe(self, data: bytes) -> None:
        """It goes out behind what is being written, or by a task of its own. Of what is owed only the newest counts."""
        is_taken_along = self._life.is_writing or self._owed
        self._owed = data
        if not is_taken_along:
            self._background.start_soon(self._pay, name="websocket answer")

    async def _pay(self) -> None:
        await self._turn.take()
        try:
            with suppress(*GONE):  # audit: suppress, because the reader finds out
                await self._write(self._take_owed(), math.inf)
        finally:
            self._turn.give_back()

    def _take_owed(self) -> bytes:
        owed, self._owed = self._owed, b""
        return owed
