"""What waits to be written on one connection: putting never blocks, and one writer takes."""

import math
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.system.change import Change
from exai_trio.transport.websocket import NORMAL, TRY_AGAIN_LATER
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Bye

_MOST_DROPPABLE_BYTES = 256 * 1024
_FULL_BYTES = 4 * 2**20


@structs.frozen
class Farewell:
    """The connection closes with this code once everything before it is written."""

    code: int = NORMAL
    reason: str = ""


_SLOW = Farewell(TRY_AGAIN_LATER, "reads or acknowledges too slowly")
_SLOW_BYE: Final = encode(Bye(reason="slow_reader", retry_after_s=1.0))


@structs.define(eq=False)
class Outbox:
    """Frames in the order in which they were put.

    Frames that may be dropped are, while more than 256 KiB wait. When more than 4 MiB wait the box is full and the reader
    pauses, so that a client that never reads holds at most that twice (what is being written and what waits) and what its
    running calls answer. `connection` is what ends a peer that does not read, once it is expelled.
    """

    dropped: int = 0
    farewell: Farewell | None = None
    connection: trio.CancelScope | None = None
    _is_expelled: bool = False
    _taken_bytes: int = 0
    _taken_at: float = math.inf
    _frames: list[str | bytes] = attrs.field(factory=list[str | bytes])
    _bytes: int = 0
    _filled: Change = attrs.field(factory=Change)
    _emptied: Change = attrs.field(factory=Change)

    def __repr__(self) -> str:
        state = "expelled" if self._is_expelled else "closed" if self.farewell else "open"
        return f"<Outbox {state} frames={len(self._frames)} bytes={self._bytes}>"

    def put(self, frame: str | bytes) -> None:
        if self._is_expelled:
            return
        self._frames.append(frame)
        self._bytes += len(frame)
        self._filled.tell()

    def put_first(self, frame: str) -> None:
        """Put a frame before all others; only until the writer has taken any."""
        self._frames.insert(0, frame)
        self._bytes += len(frame)
        self._filled.tell()

    def offer(self, frame: str) -> None:
        """Put a frame that may be dropped."""
        if self._bytes > _MOST_DROPPABLE_BYTES:
            self.dropped += 1
        else:
            self.put(frame)

    def close(self, farewell: Farewell) -> None:
        """End the connection after what was put so far; the first farewell counts."""
        self.farewell = self.farewell or farewell
        self._filled.tell()

    def expel(self, last_words_s: float) -> bool:
        """Throw away what waits and what is put later, and end the connection: when the peer has heard why, or after
        `last_words_s`. False if that was done before.

        Nothing numbered goes out any more: a client takes what is left out before a number for received.
        """
        if self._is_expelled:
            return False
        self._frames, self._bytes = [], 0
        self.put(_SLOW_BYE)
        self.close(_SLOW)
        self._is_expelled = True
        if self.connection is not None:
            self.connection.deadline = trio.current_time() + last_words_s
        return True

    @property
    def held_bytes(self) -> int:
        """Memory that it takes: the writer has frames and their bytes."""
        return self._bytes + 2 * self._taken_bytes

    def is_stuck(self, since: float) -> bool:
        """Whether the writer has had the same frames in hand since that moment."""
        return self._taken_at <= since

    async def take(self) -> list[str | bytes]:
        """All frames that wait, as soon as there is one; nothing at all once the box is empty and closed. Those that were
        taken before are written. Cancelling takes nothing."""
        self._taken_bytes, self._taken_at = 0, math.inf
        while not self._frames and self.farewell is None:
            await self._filled.wait()
        await (
            trio.lowlevel.checkpoint()
        )  # lets calls that end in this very step join the same write
        frames, self._frames = self._frames, []
        self._taken_bytes, self._bytes = self._bytes, 0
        self._taken_at = trio.current_time()
        self._emptied.tell()
        return frames

    async def wait_room(self) -> None:
        """Return when the box is not full. Cancelling leaves nothing behind."""
        await self.wait_below(_FULL_BYTES)

    async def wait_below(self, most: int) -> None:
        """Return when no more bytes than that wait to be written. Cancelling leaves nothing behind."""
        while self._bytes > most:
            await self._emptied.wait()
