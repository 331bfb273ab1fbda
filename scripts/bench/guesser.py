"""Hellos that are not to be let in, at a fixed rate, from a process of its own: `python guesser.py PORT A_SECOND SECONDS`. Run as a child.

Each is another JWT, signed by a key that is none. At the end it says on stdout how many were tried, answered and let in.
"""

import base64
import hashlib
import hmac
import json
import os
import sys

import trio

from exai_trio.system.clock import unix_now

_MOST_OPEN = 500
_PATIENCE_S = 30.0
_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_HEAD = _part(b'{"alg":"HS256","typ":"JWT"}')


def guess(number: int, ends: int) -> bytes:
    """The frame of a hello."""
    text = _HEAD + b"." + _part(json.dumps({"sub": f"u{number}", "exp": ends}).encode())
    signature = _part(hmac.digest(os.urandom(32), text, hashlib.sha256))
    told = {"op": "hello", "protocol": 2, "jwt": (text + b"." + signature).decode()}
    data = json.dumps(told).encode()
    return bytes([0x81, 0x80 | 126]) + len(data).to_bytes(2) + bytes(4) + data


class Guesses:
    """How many were tried, had an answer, and were let in."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.tried = self.answered = self.let_in = 0

    async def one(self, frame: bytes) -> None:
        """The frame goes out after the handshake: a bare server overlooks what comes with the upgrade."""
        self.tried += 1
        heard = b""
        try:
            with trio.move_on_after(_PATIENCE_S):
                async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
                    await stream.send_all(_UPGRADE)
                    while b"\r\n\r\n" not in heard and (data := await stream.receive_some()):
                        heard += data
                    await stream.send_all(frame)
                    while b"hello_ack" not in heard and (data := await stream.receive_some()):
                        heard += data
        except (OSError, trio.BrokenResourceError):
            return
        self.answered += b"hello_ack" in heard
        self.let_in += b'"ok":true' in heard

    async def run(self, per_s: float, seconds: float) -> None:
        """As many at once as keep the rate, and no more than a machine bears."""
        room, ends = trio.Semaphore(_MOST_OPEN), int(unix_now()) + 9_000
        began = trio.current_time()
        async with trio.open_nursery() as trying:
            for number in range(int(per_s * seconds)):
                await trio.sleep_until(began + number / per_s)
                await room.acquire()
                trying.start_soon(self._in_room, room, guess(number, ends))

    async def _in_room(self, room: trio.Semaphore, frame: bytes) -> None:
        try:
            await self.one(frame)
        finally:
            room.release()


if __name__ == "__main__":
    guesses = Guesses(int(sys.argv[1]))
    trio.run(guesses.run, float(sys.argv[2]), float(sys.argv[3]))
    print(json.dumps({"tried": guesses.tried, "answered": guesses.answered, "let_in": guesses.let_in}))  # fmt: skip
