"""Standard input and output as streams of our own, and a writer of lines that sends many at once."""

import math
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.system.change import Change

from .write_nowait import written_at_once

_ROOM: Final = 64 * 2**20  # bytes that may wait for a client that does not read
_APART_S: Final = (
    0.01  # from an offered line to one that may end it, so that a client reads it alone
)


@contextmanager
def private_stdio() -> Generator[tuple[trio.abc.ReceiveStream, trio.abc.SendStream]]:
    """Streams on private duplicates of descriptors 0 and 1, for the length of the context.

    Meanwhile descriptor 1 is standard error and descriptor 0 is empty, so that no stray print tears the wire and no
    child process eats the input.
    """
    mine = [os.dup(0), os.dup(1)]
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    os.close(empty)
    incoming, outgoing = trio.lowlevel.FdStream(mine[0]), trio.lowlevel.FdStream(mine[1])
    try:
        yield incoming, outgoing
    finally:
        os.dup2(incoming.fileno(), 0)
        os.dup2(outgoing.fileno(), 1)
        incoming.close()
        outgoing.close()


@structs.define(eq=False, repr=False)
class LineWriter:
    """Lines on their way out. `put` never waits; whoever reads on the other side waits for room before it reads more.

    At most `room` bytes wait, and what one step of each producer adds. Offered lines go when no others wait, in a write of their
    own: clients that read one together with the line that ends it have been seen to take it for a stranger's.
    """

    _stream: trio.abc.SendStream
    room: int = _ROOM
    _lines: list[bytes] = attrs.field(factory=list[bytes])
    _offered: list[tuple[object, bytes]] = attrs.field(factory=list[tuple[object, bytes]])
    _held: int = 0
    _apart_at: float = -math.inf
    _broken: bool = False
    _filled: Change = attrs.field(factory=Change)
    _emptied: Change = attrs.field(factory=Change)

    def put(self, line: bytes) -> None:
        if not self._broken:
            self._lines.append(line)
            self._held += len(line)
            self._filled.tell()

    def offer(self, name: object, line: bytes) -> None:
        """A line that may be dropped, by `withdraw`, as long as it has not gone."""
        if not self._broken:
            self._offered.append((name, line))
            self._held += len(line)
            self._filled.tell()

    def withdraw(self, name: object) -> None:
        """What was offered under this name, and waits still, does not go."""
        kept = [one for one in self._offered if one[0] != name]
        if len(kept) < len(self._offered):
            self._held -= sum(len(line) for _, line in self._offered)
            self._held += sum(len(line) for _, line in kept)
            self._offered = kept
            self._emptied.tell()

    @property
    def full(self) -> bool:
        return self._held > self.room

    @property
    def busy(self) -> bool:
        """More waits than a client that reads would leave: what may be dropped should be."""
        return self._held > self.room // 64

    async def wait_room(self) -> None:
        """Return when there is room for more, or nobody reads any more. Cancelling leaves nothing behind."""
        while self.full:
            await self._emptied.wait()

    async def wait_empty(self) -> None:
        """Return when everything that was put has been written, or nobody reads any more. Cancelling leaves nothing behind."""
        while self._held:
            await self._emptied.wait()

    async def run(self) -> None:
        """Write until cancelled. Raises BrokenResourceError or ClosedResourceError when nobody reads any more; then nothing waits.

        Cancelling may cut a line: nothing can be written after it.
        """
        try:
            while True:
                while not (self._lines or self._offered):
                    await self._filled.wait()
                await self._write_all()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._broken, self._held = True, 0
            self._emptied.tell()
            raise

    async def _write_all(self) -> None:
        """What waits; offered lines when no others do."""
        while self._lines or self._offered:
            if not self._lines:
                offered, self._offered = self._offered, []
                await self._write([line for _, line in offered])
                self._apart_at = trio.current_time() + _APART_S
                continue
            if self._apart_at > trio.current_time():
                await trio.sleep_until(self._apart_at)
            lines, self._lines = self._lines, []
            await self._write(lines)

    async def _write(self, lines: list[bytes]) -> None:
        batch = b"".join(lines)
        rest = batch[written_at_once(self._stream, batch) :]
        if rest:
            await self._stream.send_all(rest)
        self._held -= len(batch)
        self._emptied.tell()
