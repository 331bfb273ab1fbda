"""The one connection to the daemon: made, proven, kept alive, and made again for ever. What a call is, `bridge` knows.

It is used once a ping has come back. When it ends, what waits stays in the bridge; when the next is tried, `absence` says.
"""

import logging
import math
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import attrs
import trio

from exai_trio import __version__, structs
from exai_trio.config import Config, is_loopback
from exai_trio.errors import ArgumentError
from exai_trio.resilience.reconnect_backoff import SHORTEST_S
from exai_trio.shim.client_timeouts import Promise
from exai_trio.transport.client_auth import Credentials, credentials
from exai_trio.transport.websocket import NotListening, PeerGone, Unreachable, WebSocket
from exai_trio.wire.codec import WireError, decode_daemon, encode
from exai_trio.wire.messages import (
    Ack,
    Bye,
    ClientMessage,
    Hello,
    HelloAck,
    ListTools,
    ToolList,
    ToolsChanged,
)

from .bridge import Bridge
from .close_reasons import Departing, Refused, bugs_in, plainest
from .reconnect import Absence, Starter
from .remedies import remedy
from .tool_list_cache import Catalogue

log = logging.getLogger("exai.shim")

ACK_EVERY_S: Final = 0.05
_CLOSES_S: Final = 2.0  # after its drain a daemon has closed
_NO_ANSWER: Final = "no answer in time"


Dial = Callable[[], AbstractAsyncContextManager[WebSocket]]


def _reason(refusal: HelloAck) -> str:
    said = [text for text in (refusal.error, refusal.message) if isinstance(text, str)]
    return ": ".join(said) or "no reason given"


def _new_session() -> str:
    return f"shim_{os.urandom(12).hex()}"


@structs.define(eq=False)
class Link:
    """Owned by one shim. `ensure_daemon` tries to have one running; it says whether that is worth another attempt. `bye` is the
    goodbye of a daemon that still owes us results."""

    config: Config
    bridge: Bridge
    catalogue: Catalogue
    dial: Dial
    ensure_daemon: Callable[[], Awaitable[bool]] | None = None
    starter: Starter | None = None
    session_id: str = attrs.field(factory=_new_session)
    state: str = "starting"
    bye: Bye | None = None
    _last_seq: int = 0
    _acked: int = 0
    _unacked: trio.Event = attrs.field(factory=trio.Event)
    _ack_due: bool = False
    _list_wanted: bool = True
    _stay: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _absence: Absence = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._absence = Absence(self.config, self.bridge)
        self.bridge.presence.promise = Promise(
            simple_call_s=self.config.simple_tool_timeout_secs,
            workflow_call_s=self.config.workflow_tool_timeout_secs,
        )

    async def run(self) -> None:
        """Connect, relay, and begin again, until cancelled."""
        while True:
            pause_s, why = await self._visit()
            await self._absence.wait(pause_s, why)

    async def _visit(self) -> tuple[float, str]:
        """One connection from beginning to end. Returns how long to pause at most, and why it ended."""
        fault: Exception | None = None
        bugs: list[Exception] = []
        try:
            await self._connection()
        # The border of a connection: whatever it was, it is told below, and the shim lives on.
        except* Exception as group:  # noqa: BLE001  # logged below
            fault, bugs = plainest(group), bugs_in(group)
        for bug in bugs:
            log.error("link failed", exc_info=bug)
        if self.bye is not None:  # all that it had to say has been heard, or it has closed
            fault, self.bye = Departing(attrs.evolve(self.bye, retry_after_s=0.0)), None
        trouble = str(fault or "") or _NO_ANSWER
        mend = remedy(fault, self.config, starts=self.ensure_daemon is not None)
        self.bridge.disconnected(trio.current_time(), trouble, mend)
        here = is_loopback(self.config.client_host)
        closed_door = isinstance(fault, NotListening) and here
        self._absence.begin(in_peace=closed_door or isinstance(fault, Refused | Departing))
        if self.state == "connected":
            self.bridge.asked = trio.Event()  # those requests found a connection
        match fault:
            case Refused():
                return self._refused(str(fault)), "refused"
            case Departing():
                return self._departing(fault.bye), fault.bye.reason
            case PeerGone() | Unreachable() | trio.TooSlowError() | None:
                why = trouble
            case _:
                why = type(fault).__name__
        self._turned("away", why)
        if isinstance(fault, Unreachable) and self.ensure_daemon is not None:
            if await self.ensure_daemon():
                return 0.0, why
            self._absence.note_not_started(self.starter)
        return self._absence.pause_s(closed_door=closed_door), why

    def _refused(self, why: str) -> float:
        self._turned("refused", why)
        self.bridge.refuse_all(
            "UNAUTHORIZED",
            f"the daemon refuses this client ({why}): EXAI_WS_TOKEN (or JWT_SECRET_KEY) differs from the"
            " daemon's; set the same value in the editor's configuration",
            "authentication",
        )
        return self._absence.pause_s()

    def _departing(self, bye: Bye) -> float:
        self._turned("away", bye.reason)
        if bye.reason == "superseded":  # another process uses our id: leave it to that one
            self.session_id = _new_session()
            self._last_seq = self._acked = 0
            return self._absence.pause_s()
        if bye.retry_after_s <= 0:  # the next daemon is there already
            return SHORTEST_S
        return max(bye.retry_after_s, self._absence.pause_s())

    def _turned(self, state: str, why: str, **more: float) -> None:
        """One line for each change of state."""
        if state != self.state:
            self.state = state
            log.info("link %s", state, extra={"why": why, "session": self.session_id, **more})

    # One connection

    async def _connection(self) -> None:
        with trio.fail_after(self.config.ws_hello_timeout) as handshake:
            async with self.dial() as ws:
                greeted = self.bridge.roots
                ack = await self._greet(ws, greeted)
                handshake.deadline = math.inf
                with trio.CancelScope() as self._stay:
                    await self._converse(ws, ack, greeted)

    async def _converse(self, ws: WebSocket, ack: HelloAck, greeted: tuple[str, ...]) -> None:
        async with trio.open_nursery() as legs:
            legs.start_soon(self._read, ws)
            legs.start_soon(self._acknowledge)
            await self._prove(ws)
            self._open(ack, greeted)
            legs.start_soon(self._write, ws)
            await self._heartbeat(ws)

    async def _greet(self, ws: WebSocket, roots: tuple[str, ...]) -> HelloAck:
        shown = self._credentials(ws)
        hello = Hello(
            token=shown.token,
            jwt=shown.jwt,
            session_id=self.session_id,
            client_name="exai-shim",
            client_version=__version__,
            protocol=2,
            last_seq=self._last_seq,
            roots=list(roots),
        )
        await ws.send(encode(hello))
        answer = decode_daemon(await ws.receive()).message
        if isinstance(answer, Bye):
            raise Departing(answer)
        if not isinstance(answer, HelloAck):
            raise PeerGone(reason=f"{type(answer).__name__} instead of hello_ack")
        if not answer.ok:
            raise Refused(_reason(answer))
        if answer.resumed is not True:
            self._last_seq = self._acked = 0
        if isinstance(answer.session_id, str):
            self.session_id = answer.session_id
        return answer

    def _credentials(self, ws: WebSocket) -> Credentials:
        try:
            return credentials(self.config, ws.ends)
        except ArgumentError as fault:
            raise Refused(fault.message) from fault

    async def _prove(self, ws: WebSocket) -> None:
        if not await ws.answers_ping(self.config.ws_ping_validation_timeout):
            raise PeerGone(reason=_NO_ANSWER)

    def _open(self, ack: HelloAck, roots: tuple[str, ...]) -> None:
        limits = ack.limits if isinstance(ack.limits, dict) else {}
        promise = Promise.of(limits, self.bridge.presence.promise)
        attempts, away_s = self._absence.end()
        if self.starter is not None:
            self.starter.note_served()
        self._list_wanted = True
        self._turned("connected", "", attempts=attempts, away_s=round(away_s, 3))
        self.bridge.connected(
            session_id=self.session_id,
            resumed=ack.resumed is True,
            promise=promise,
            greeted_roots=roots,
        )

    async def _heartbeat(self, ws: WebSocket) -> None:
        while True:
            await trio.sleep(self.config.ws_ping_interval)
            if not await ws.answers_ping(self.config.ws_ping_timeout):
                raise PeerGone(reason=_NO_ANSWER)

    async def _read(self, ws: WebSocket) -> None:
        await ws.relay(self._receive)

    async def _receive(self, frame: str | bytes) -> None:
        await self._hear(frame)
        await self.bridge.lines.wait_room()

    async def _hear(self, frame: str | bytes) -> None:
        try:
            heard = decode_daemon(frame)
        except WireError as fault:
            log.warning("frame not understood", extra={"fault": str(fault), "op": fault.op})
            return
        if heard.seq is not None and not self._is_new(heard.seq):
            return
        match heard.message:
            case ToolList():
                await self._take_tools(heard.message)
            case ToolsChanged():
                self._list_wanted = True
                self.bridge.work.set()
            case Bye():
                self._heed(heard.message)
            case _:
                self.bridge.deliver(heard.message)
                self._leave_drained()

    def _heed(self, bye: Bye) -> None:
        """Leave a daemon that says goodbye; one that drains, and is not replaced yet, is heard out."""
        drains = bye.reason == "draining" and bye.retry_after_s > 0
        if not (drains and self.bridge.expects_more):
            raise Departing(bye)
        self.bye = bye
        self.bridge.presence.leaving = True
        self._stay.deadline = trio.current_time() + self.config.drain_s + _CLOSES_S

    def _leave_drained(self) -> None:
        if self.bye is not None and not self.bridge.expects_more:
            raise Departing(self.bye)

    def _is_new(self, seq: int) -> bool:
        if seq <= self._last_seq:
            return False
        self._last_seq = seq
        self._absence.note_brought()
        self._unacked.set()
        return True

    async def _take_tools(self, message: ToolList) -> None:
        listing = self.catalogue.from_daemon(message.tools)
        if listing is not None:
            await trio.to_thread.run_sync(self.catalogue.keep, listing)

    async def _acknowledge(self) -> None:
        """See to it that what came is acknowledged soon, in one frame for many; the writer sends it."""
        while True:
            await self._unacked.wait()
            await trio.sleep(ACK_EVERY_S)
            self._unacked = trio.Event()
            self._ack_due = True
            self.bridge.work.set()

    async def _write(self, ws: WebSocket) -> None:
        while True:
            await self.bridge.work.wait()
            self.bridge.work = trio.Event()
            frames = [encode(message) for message in self._due()]
            if frames:
                await ws.send(*frames)

    def _due(self) -> list[ClientMessage]:
        due: list[ClientMessage] = []
        if self._list_wanted:
            self._list_wanted = False
            due.append(ListTools(request_id="tools"))
        if self._ack_due and self._last_seq > self._acked:
            self._ack_due = False
            self._acked = self._last_seq
            due.append(Ack(seq=self._acked))
        due += self.bridge.take()
        return due
