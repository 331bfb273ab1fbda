"""The one connection to the daemon: made, proven, kept alive, and made again for ever.

What a call is, `relay` knows. It is used once a ping has come back. When it ends, what waits stays in the relay; when the next
is tried, `reconnect` says.
"""

import logging
import math
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config, is_loopback
from exai_trio.resilience.reconnect_backoff import SHORTEST_S
from exai_trio.system.home_id import HOME_LOCK, read_id
from exai_trio.transport.websocket import NotListening, PeerGone, Unreachable, WebSocket
from exai_trio.wire.messages import Bye, HelloAck, ServerFacts

from .calls.relay import Relay
from .client_hello import greet
from .close_reasons import NO_ANSWER, Departing, Refused, bugs_in, plainest
from .daemon_conversation import Conversation
from .daemon_limits import DaemonLimits
from .received_frames import ReceivedFrames
from .reconnect import Reconnect, Starter
from .remedies import remedy
from .tool_list_cache import ToolListCache

log = logging.getLogger("exai.shim")

Dial = Callable[[], AbstractAsyncContextManager[WebSocket]]


def _new_session() -> str:
    return f"shim_{os.urandom(12).hex()}"


@structs.define(eq=False)
class Link:
    """Owned by one shim. `ensure_daemon` tries to have one running; it says whether that is worth another attempt. It is not
    asked while the last daemon was of another home: whoever started that one starts the next.
    `wait_room` waits for the client to take what the daemon sent."""

    config: Config
    relay: Relay
    tool_list: ToolListCache
    dial: Dial
    wait_room: Callable[[], Awaitable[None]]
    ensure_daemon: Callable[[], Awaitable[bool]] | None = None
    starter: Starter | None = None
    session_id: str = attrs.field(factory=_new_session)
    state: str = "starting"
    conversation: Conversation | None = None
    daemon_is_ours: bool = True
    received: ReceivedFrames = attrs.field(factory=ReceivedFrames)
    _visits: int = 0
    _reconnect: Reconnect = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._reconnect = Reconnect(self.config, self.relay)
        self.relay.daemon.limits = DaemonLimits(
            simple_call_s=self.config.simple_tool_timeout_secs,
            workflow_call_s=self.config.workflow_tool_timeout_secs,
        )

    def __repr__(self) -> str:
        return f"<Link {self.session_id} {self.state} {self.received!r}>"

    async def run(self) -> None:
        """Connect, relay, and begin again, until cancelled: that ends the connection, and what is open stays in the relay."""
        while True:
            pause_s, why = await self._visit()
            await self._reconnect.wait(pause_s, why)

    @property
    def _starts_daemon(self) -> bool:
        return self.ensure_daemon is not None and self.daemon_is_ours

    async def _visit(self) -> tuple[float, str]:
        """One connection from beginning to end. Returns how long to pause at most, and why it ended."""
        fault = await self._connection_fault()
        talk, self.conversation = self.conversation, None
        if talk is not None and talk.bye is not None:  # it has been heard out, or has closed
            fault = Departing(attrs.evolve(talk.bye, retry_after_s=0.0))
        reason = str(fault or "") or NO_ANSWER
        mend = remedy(fault, self.config, starts=self._starts_daemon, ours=self.daemon_is_ours)
        self.relay.disconnected(trio.current_time(), reason, mend)
        closed_door = isinstance(fault, NotListening) and is_loopback(self.config.client_host)
        in_peace = closed_door or isinstance(fault, Refused | Departing)
        self._reconnect.begin(in_peace=in_peace, brought=talk is not None and talk.brought)
        if self.state == "connected":
            self.relay.asked = trio.Event()  # those requests found a connection
        match fault:
            case Refused():
                return self._refused(str(fault)), "refused"
            case Departing():
                return self._departing(fault.bye), fault.bye.reason
            case PeerGone() | Unreachable() | trio.TooSlowError() | None:
                why = reason
            case _:
                why = type(fault).__name__
        self._turned("away", why)
        if isinstance(fault, Unreachable) and self.ensure_daemon and self.daemon_is_ours:
            if await self.ensure_daemon():
                return 0.0, why
            self._reconnect.note_not_started(self.starter)
        return self._reconnect.pause_s(closed_door=closed_door), why

    async def _connection_fault(self) -> Exception | None:
        """Why a connection ended, or could not be made."""
        fault: Exception | None = None
        bugs: list[Exception] = []
        try:
            await self._connection()
        # The border of a connection: whatever it was, it is told to who waits, and the shim lives on.
        except* Exception as group:  # noqa: BLE001  # logged below
            fault, bugs = plainest(group), bugs_in(group)
        for bug in bugs:
            log.error("link failed", exc_info=bug)
        return fault

    def _refused(self, why: str) -> float:
        self._turned("refused", why)
        self.relay.refuse_all(
            "UNAUTHORIZED",
            f"the daemon refuses this client ({why}): EXAI_WS_TOKEN (or JWT_SECRET_KEY) differs from the"
            " daemon's; set the same value in the editor's configuration",
            "authentication",
        )
        return self._reconnect.pause_s()

    def _departing(self, bye: Bye) -> float:
        self._turned("away", bye.reason)
        if bye.reason == "superseded":  # another process uses our id: leave it to that one
            self.relay.superseded(trio.current_time())
            self.session_id = _new_session()
            self.received.reset()
            return self._reconnect.pause_s()
        if bye.retry_after_s <= 0:  # the next daemon is there already
            return SHORTEST_S
        return max(bye.retry_after_s, self._reconnect.pause_s())

    def _turned(self, state: str, why: str, **more: float) -> None:
        """One line for each change of state."""
        if state != self.state:
            self.state = state
            told = {"why": why, "session": self.session_id, "calls": repr(self.relay.dispatch)}
            log.info("link %s", state, extra={**told, **more})

    # One connection

    async def _connection(self) -> None:
        with trio.fail_after(self.config.ws_hello_timeout) as handshake:
            async with self.dial() as ws:
                roots = self.relay.roots
                self._visits += 1
                seen = {"last_seq": self.received.last, "visit": self._visits}
                ack = await greet(ws, self.config, self.session_id, roots, **seen)
                self._welcomed(ack)
                handshake.deadline = math.inf
                self.conversation = self._conversation(ws)
                await self.conversation.run(partial(self._proven, ack, roots))

    def _welcomed(self, ack: HelloAck) -> None:
        if ack.resumed is not True:
            self.received.reset()
        if isinstance(ack.session_id, str):
            self.session_id = ack.session_id
        self.daemon_is_ours = _is_ours(ack, self.config)

    def _conversation(self, ws: WebSocket) -> Conversation:
        return Conversation(
            ws, self.config, self.relay, self.tool_list, self.received, self.wait_room
        )

    def _proven(self, ack: HelloAck, roots: tuple[str, ...]) -> None:
        said = ack.limits if isinstance(ack.limits, dict) else {}
        attempts, away_s = self._reconnect.end()
        if self.starter is not None:
            self.starter.note_served()
        self._turned("connected", "", attempts=attempts, away_s=round(away_s, 3))
        self.relay.connected(
            session_id=self.session_id,
            resumed=ack.resumed is True,
            limits=DaemonLimits.of(said, self.relay.daemon.limits),
            greeted_roots=roots,
        )


def _is_ours(ack: HelloAck, config: Config) -> bool:
    """Whether that daemon serves the home of this shim; one that does not say is taken for one that does."""
    home = ack.server.home if isinstance(ack.server, ServerFacts) else None
    return not isinstance(home, str) or home == read_id(config.state / HOME_LOCK)
