"""A client that speaks the protocol itself, and knows what it is to hear: each numbered frame is the next one."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from exai_trio.transport.websocket import PeerGone, WebSocket
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import Hello, HelloAck, Progress, StreamChunk

from .network import Network

AT_ONCE_S = 2.0  # there and back on the slowest connection


class BrokenPromiseError(Exception):
    """Something else was heard than what was to be."""


def expect(what: str, expected: object, actual: object) -> None:
    """Raises BrokenPromiseError unless both are the same."""
    if expected != actual:
        raise BrokenPromiseError(f"{what}: {actual!r} instead of {expected!r}")


@attrs.define(eq=False)
class ProtocolClient:
    """`frames` has each numbered frame that was heard, by its number, `last` is the highest, `number` the latest, `acked` what the daemon
    knows that we have; `chunks` and `stages` what was heard beside
    them of each call, in order. A number may jump once after `restarted`."""

    network: Network
    session: str
    protocol: int = 2
    last: int = 0
    number: int = 0
    acked: int = 0
    resumed: bool = False
    restarted: bool = False
    frames: dict[int, str] = attrs.field(factory=dict[int, str])
    chunks: dict[object, list] = attrs.field(factory=dict[object, list])
    stages: dict[object, list] = attrs.field(factory=dict[object, list])
    socket: WebSocket | None = None

    @asynccontextmanager
    async def connected(self, last_seq: int | None = None) -> AsyncGenerator[None]:
        """For the length of the block: with all that was heard, or as one that has heard less."""
        if last_seq is not None:
            self.last = last_seq
        async with self.network.dial_fair() as self.socket:
            hello = Hello(protocol=self.protocol, session_id=self.session, last_seq=self.last)
            await self.say(hello)
            greeted = await self.hear(HelloAck, within_s=10.0)
            expect("the session of a hello", (True, self.session), (greeted.ok, greeted.session_id))
            self.resumed, self.acked = greeted.resumed, self.last
            yield

    def forget(self) -> None:
        """Numbers begin anew, or go on somewhere."""
        self.last, self.frames, self.restarted = 0, {}, True

    async def say(self, *messages: object) -> None:
        await self.socket.send(*map(encode, messages))

    async def hear(self, kind: type, *, within_s: float = AT_ONCE_S):
        """The next message beside progress and chunks. Raises BrokenPromiseError if there is none in time, or it is of another kind."""
        with trio.move_on_after(within_s):
            while isinstance(message := await self._next(), Progress | StreamChunk):
                self._note(message)
            if not isinstance(message, kind):
                raise BrokenPromiseError(f"{message!r} instead of a {kind.__name__}")
            return message
        raise BrokenPromiseError(f"no {kind.__name__} within {within_s} s")

    async def hear_nothing(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            while isinstance(message := await self._next(), Progress | StreamChunk):
                self._note(message)
            raise BrokenPromiseError(f"{message!r} instead of nothing")

    async def hear_end(self) -> None:
        """The daemon closes the connection."""
        try:
            with trio.fail_after(AT_ONCE_S):
                message = await self._next()
        except PeerGone:
            return
        except trio.TooSlowError as fault:
            raise BrokenPromiseError("the connection is not closed") from fault
        raise BrokenPromiseError(f"{message!r} instead of the connection's end")

    async def _next(self):
        frame = await self.socket.receive()
        heard = decode_daemon(frame)
        if heard.seq:
            self._number(heard.seq, frame)
        return heard.message

    def _number(self, seq: int, frame: str) -> None:
        """One that was heard before is the same as it was; else it is the next, or the first of another daemon."""
        if seq in self.frames:
            expect(f"frame {seq}, once more", _sure(self.frames[seq]), _sure(frame))
        elif self.restarted and seq > self.last:
            self.restarted = False
        else:
            expect("the number of a frame", self.last + 1, seq)
        self.frames[seq], self.number = frame, seq
        self.last = max(self.last, seq)

    def _note(self, message: Progress | StreamChunk) -> None:
        if isinstance(message, StreamChunk):
            self.chunks.setdefault(message.request_id, []).append((message.index, message.chunk))
            return
        stages = self.stages.setdefault(message.request_id, [])
        if stages and message.elapsed_s < stages[-1][0]:
            raise BrokenPromiseError(f"progress goes back from {stages[-1]} to {message!r}")
        stages.append((message.elapsed_s, message.stage, message.message))


def _sure(frame: str) -> str:
    """Without what a daemon that starts does not know of an acceptance."""
    return re.sub(r'"repeatable":\w+,', "", frame)
