"""What two daemons say to each other while calls end in the one and the other serves: lines of JSON over a stream.

First the old one lists the calls that run in it; then each line is a frame of one of them: to the successor what the call
says and its outcome, back its cancellation.
"""

import contextlib
from collections.abc import AsyncGenerator
from typing import Final

import attrs
import msgspec
import trio

from exai_trio import structs

_MOST_READ: Final = 65_536  # bytes


@structs.frozen(kw_only=True)
class TransferredCall:
    """A call that runs in the old daemon; `request` is its id as the journal writes it."""

    session: str
    request: str
    elapsed_s: float


@structs.frozen(kw_only=True)
class Word:
    """A frame about a call of this session, as it would travel to or from the client."""

    session: str
    frame: str


def line(said: list[TransferredCall] | Word) -> str:
    return msgspec.json.encode(said).decode() + "\n"


def calls_of(said: bytes) -> list[TransferredCall]:
    """Raises msgspec.MsgspecError."""
    return msgspec.json.decode(said, type=list[TransferredCall])


def word_of(said: bytes) -> Word:
    """Raises msgspec.MsgspecError."""
    return msgspec.json.decode(said, type=Word)


@structs.define(eq=False)
class Lines:
    """The lines that come over a stream. A line has at most the size of an answer."""

    stream: trio.abc.ReceiveStream
    _buffer: bytearray = attrs.field(factory=bytearray)

    async def next(self) -> bytes | None:
        """None when the other side is gone. Cancelling loses nothing."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            more: bytes | bytearray = b""
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                # audit: suppress, because None says that the other side is gone
                more = await self.stream.receive_some(_MOST_READ)
            if not more:
                return None
            self._buffer += more
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return found


@contextlib.asynccontextmanager
async def closing(stream: trio.abc.AsyncResource | None) -> AsyncGenerator[None]:
    """Close it at the end, at once. Cancelling closes it too."""
    try:
        yield
    finally:
        if stream is not None:
            await trio.aclose_forcefully(stream)
