"""A WebSocket client of as little work as possible: frames are sent as made before, and heard with the moment of their coming."""

import json
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from .processes import PATIENCE_S, NotMeasured

_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_SHORT, _LONG = 126, 127
_CHUNK = 262_144


def frame(op: str, **fields: Any) -> bytes:
    return framed(json.dumps({"op": op, **fields}).encode())


def framed(data: bytes) -> bytes:
    """A text as it travels, with a mask of zeros."""
    size = len(data)
    if size < _SHORT:
        head = bytes([0x81, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([0x81, 0x80 | _SHORT]) + size.to_bytes(2)
    else:
        head = bytes([0x81, 0x80 | _LONG]) + size.to_bytes(8)
    return head + bytes(4) + data


@attrs.define(eq=False)
class Raw:
    """`sent` is when the newest frames went out."""

    stream: trio.SocketStream
    sent: float = 0.0
    _bytes: bytearray = attrs.field(factory=bytearray)

    async def say(self, frames: Iterable[bytes]) -> None:
        self.sent = time.perf_counter()
        await self.stream.send_all(b"".join(frames))

    async def hear(self) -> list[tuple[float, bytes]]:
        """The texts that came, at least one. Raises NotMeasured if the daemon hangs up."""
        found: list[tuple[float, bytes]] = []
        while not found:
            data = await self.stream.receive_some(_CHUNK)
            if not data:
                raise NotMeasured("the daemon hangs up")
            self._bytes += data
            now = time.perf_counter()
            found += [(now, text) for text in self._texts()]
        return found

    def _texts(self) -> Iterable[bytes]:
        start = 0
        while (span := _span(self._bytes, start)) is not None:
            first, start = span
            yield bytes(self._bytes[first:start])
        del self._bytes[:start]


def _span(data: bytearray, start: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `start` begins and ends, if it is whole."""
    if len(data) < start + 10 and len(data) < start + 2:
        return None
    size, first = data[start + 1], start + 2
    if size == _SHORT:
        size, first = int.from_bytes(data[first : first + 2]), first + 2
    elif size == _LONG:
        size, first = int.from_bytes(data[first : first + 8]), first + 8
    end = first + size
    return (first, end) if len(data) >= end else None


@asynccontextmanager
async def raw(port: int, *, deaf: bool = False, greets: bool = True) -> AsyncGenerator[Raw]:
    """A client that was welcomed with protocol 2; a deaf one has a small buffer, and one that does not greet has said no hello."""
    with trio.fail_after(PATIENCE_S):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        if deaf:
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
        with trio.fail_after(PATIENCE_S):
            await stream.send_all(_UPGRADE)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += await stream.receive_some(4096)
            client = Raw(stream)
            if greets:
                await client.say([frame("hello", protocol=2)])
                await client.hear()
        yield client
