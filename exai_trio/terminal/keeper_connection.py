"""The daemon's end of one connection to a keeper: frames there and back."""

from typing import Any

import attrs
import trio

from exai_trio import structs
from exai_trio.transport.write_nowait import written_at_once
from exai_trio.wire.terminal_errors import TerminalError

from .keeper import keeper_frames

_RECEIVE_BYTES = 262_144
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class KeeperGone(Exception):
    """The keeper is not there any more: its session has ended, or it was killed."""


class NoKeeper(KeeperGone):
    """Nobody listens: the keeper has left its socket behind, or nothing."""


@structs.define(eq=False)
class KeeperConnection:
    """One task sends, one receives. Whoever opened it closes it."""

    stream: trio.abc.Stream
    _reader: keeper_frames.FrameReader = attrs.field(factory=keeper_frames.FrameReader)
    _waiting: list[keeper_frames.Frame] = attrs.field(factory=list[keeper_frames.Frame])

    async def ask(self, op: str, **fields: Any) -> None:
        """Send a request. Raises KeeperGone. Cancelling may cut the stream, which is then of no use."""
        await self._send(keeper_frames.text({"op": op, **fields}))

    async def type(self, sequence: int, data: bytes) -> None:
        """Send input. Raises KeeperGone. Cancelling may cut the stream, which is then of no use."""
        await self._send(keeper_frames.typed(sequence, data))

    async def receive(self) -> list[keeper_frames.Frame]:
        """The frames that have come, at least one. Raises KeeperGone. Cancelling loses none."""
        while not self._waiting:
            try:
                data = await self.stream.receive_some(_RECEIVE_BYTES)
                self._waiting += self._reader.feed(data)
            except (*_GONE, keeper_frames.FrameError) as fault:
                raise KeeperGone from fault
            if not data:
                raise KeeperGone
        found, self._waiting = self._waiting, []
        return found

    async def told(self, op: str) -> dict[str, Any]:
        """The next text with this op. Raises KeeperGone; TerminalError if the keeper refuses. Cancelling may lose frames."""
        while True:
            for kind, payload in await self.receive():
                fields = fields_of(payload) if kind == keeper_frames.TEXT else {}
                if fields.get("op") == op:
                    return fields
                if fields.get("op") == "error":
                    raise TerminalError.of(fields)

    async def _send(self, data: bytes) -> None:
        left = data[written_at_once(self.stream, data) :]
        if not left:
            return
        try:
            await self.stream.send_all(left)
        except _GONE as fault:
            raise KeeperGone from fault


def fields_of(payload: bytes) -> dict[str, Any]:
    """The object of a text. Raises KeeperGone for what no keeper of ours sends."""
    try:
        return keeper_frames.fields_of(payload)
    except keeper_frames.FrameError as fault:
        raise KeeperGone from fault
