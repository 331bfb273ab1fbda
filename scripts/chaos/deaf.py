"""A client that only speaks: what is answered stays in the daemon."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

_SMALL_BUFFER = 8192  # bytes that the system may hold for it
_SHORT, _LONGEST = 125, 65_535  # bytes, as a WebSocket frame tells its length in one byte or in two
_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@attrs.frozen
class Deaf:
    """Its methods raise BrokenResourceError once it is thrown out."""

    _stream: trio.SocketStream

    async def call(self, request_id: str, prompt: str) -> None:
        """Ask `test_echo` for this text of at most some 65,000 bytes."""
        await self._say(
            {
                "op": "call_tool",
                "request_id": request_id,
                "name": "test_echo",
                "arguments": {"prompt": prompt},
            }
        )

    async def greet(self) -> None:
        await self._stream.send_all(_UPGRADE)
        await self._stream.receive_some(4096)
        await self._say({"op": "hello", "protocol": 2})

    async def _say(self, frame: dict[str, object]) -> None:
        data = json.dumps(frame).encode()
        if len(data) > _LONGEST:
            raise ValueError(f"{len(data)} bytes do not fit in one frame of ours")
        short = len(data) <= _SHORT
        length = bytes([0x80 | len(data)]) if short else b"\xfe" + len(data).to_bytes(2)
        await self._stream.send_all(b"\x81" + length + bytes(4) + data)


@asynccontextmanager
async def open_deaf(port: int) -> AsyncGenerator[Deaf]:
    """One that has said hello. Raises OSError, or BrokenResourceError if the daemon does not want it."""
    narrow = trio.socket.socket()
    with narrow:
        narrow.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, _SMALL_BUFFER)
        await narrow.connect(("127.0.0.1", port))
        deaf = Deaf(trio.SocketStream(narrow))
        await deaf.greet()
        yield deaf
