"""One client that is attached to a session: frames of its WebSocket to the keeper, the keeper's to the WebSocket.

Output is handed on as it comes, and nothing is read of a keeper while the client does not read: what waits, waits in the keeper.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.system.exception_groups import first_of
from exai_trio.terminal.keeper import keeper_frames
from exai_trio.terminal.keeper_connection import KeeperConnection, KeeperGone, fields_of
from exai_trio.transport.websocket import (
    INTERNAL,
    NORMAL,
    SERVICE_RESTART,
    TOO_LARGE,
    PeerGone,
    WebSocket,
)
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import (
    MOST_BYTES,
    Acknowledge,
    Clear,
    Input,
    Reconnect,
    Resize,
    SendSignal,
    read_later,
    told,
)

from ..connections.frames import size_of
from ..connections.identity import Identity
from .flood_pace import FloodPace
from .terminal_counters import TerminalCounters

_UNAUTHORIZED: Final = 4003
_MOST_WRONG: Final = 100  # frames of one connection that cannot be meant


@structs.define(eq=False)
class Ended(Exception):
    """The attachment ends on purpose: the last text, if there is one, and how the WebSocket is closed."""

    code: int
    reason: str
    last: str | None = None


@structs.define(eq=False, kw_only=True)
class Attachment:
    """`leaving` is set once clients are to go elsewhere; `pace` is that of all attachments."""

    socket: WebSocket
    keeper: KeeperConnection
    session_id: str
    config: Config
    identity: Identity
    counters: TerminalCounters
    leaving: trio.Event
    pace: FloodPace
    bytes_out: int = 0
    bytes_in: int = 0
    _wrong: int = 0
    _telling: trio.Lock = attrs.field(factory=trio.Lock)

    async def converse(self, now: Callable[[], float]) -> None:
        """Until the client or the session is gone, or it is to leave. Raises PeerGone. Cancelling leaves the session as it is."""
        ended: Ended | None = None
        gone: PeerGone | None = None
        try:
            async with trio.open_nursery() as legs:
                legs.start_soon(self._hear, name="terminal client")
                legs.start_soon(self._show, name="terminal keeper")
                legs.start_soon(self._beat, name="terminal heartbeat")
                legs.start_soon(self._wait_leaving, name="terminal leaving")
                if not self.identity.is_lasting:
                    legs.start_soon(self._watch_identity, now, name="terminal identity")
        except* Ended as group:
            ended = first_of(group)
        except* PeerGone as lost:
            gone = first_of(lost)
        except* KeeperGone:
            ended = Ended(NORMAL, "the session is over", told("bye", reason="the session is over"))
        if ended is None:
            raise gone or PeerGone()
        if ended.last is not None:
            await self.socket.send(ended.last)
        await self.socket.close(ended.code, ended.reason)

    # from the client

    async def _hear(self) -> None:
        await self.socket.relay(self._take)

    async def _take(self, frame: str | bytes) -> None:
        if size_of(frame) > MOST_BYTES:
            raise Ended(TOO_LARGE, f"a frame may have {MOST_BYTES} bytes")
        try:
            await self._pass_on(frame)
        except TerminalError as wrong:
            fault = wrong
        else:
            return
        self._wrong += 1
        self.counters.errors[fault.code] += 1
        await self._tell(told("error", **fault.told()))
        if self._wrong > _MOST_WRONG:
            raise Ended(fault.recovery.close_code or NORMAL, "too many wrong frames")

    async def _pass_on(self, frame: str | bytes) -> None:
        message, keeper = read_later(frame, self.session_id), self.keeper
        match message:
            case Input(text=text, sequence=sequence):
                self.bytes_in += len(text)
                self.pace.note_key(self.session_id)
                await keeper.type(sequence, text)
            case Acknowledge(offset=offset, exited=exited):
                await keeper.ask("ack", offset=offset, exited=exited)
            case Resize(cols=cols, rows=rows, redraw=redraw):
                await keeper.ask("resize", cols=cols, rows=rows, redraw=redraw)
            case Clear():
                await keeper.ask("clear")
            case Reconnect(offset=offset):
                await keeper.ask("reconnect", offset=offset)
            case SendSignal(name=name):
                await keeper.ask("signal", name=name)

    # to the client

    async def _show(self) -> None:
        while True:
            frames: list[str | bytes] = []
            before = self.bytes_out
            for kind, payload in await self.keeper.receive():
                if kind == keeper_frames.OUTPUT:
                    self.bytes_out += len(payload) - keeper_frames.NUMBER.size
                    frames.append(payload)  # which begins with its offset, as on the wire
                else:
                    frames.append(self._text(payload))
            await self._tell(*frames)
            await self.pace.wait(self.bytes_out - before, self.session_id)

    def _text(self, payload: bytes) -> str:
        fields = fields_of(payload)
        if fields.get("op") != "error":
            return payload.decode()
        fault = TerminalError.of(fields)
        self.counters.errors[fault.code] += 1
        return told(**fields | fault.told())

    async def _tell(self, *frames: str | bytes) -> None:
        async with self._telling:
            await self.socket.send(*frames)

    async def _beat(self) -> None:
        while True:
            await trio.sleep(self.config.ws_ping_interval)
            if not await self.socket.answers_ping(self.config.ws_ping_timeout):
                raise Ended(INTERNAL, "missed heartbeats")

    async def _wait_leaving(self) -> None:
        await self.leaving.wait()
        raise Ended(SERVICE_RESTART, "draining", told("bye", reason="draining", retry_after_s=0.0))

    async def _watch_identity(self, now: Callable[[], float]) -> None:
        why = await self.identity.wait_over(now)
        raise Ended(_UNAUTHORIZED, why, told("bye", reason=why))
