"""Has calls run by a session of this daemon, for the front desks of HTTP clients: a connection without a socket."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError, OverCapacityError
from exai_trio.mcp.calls.bridge import Bridge
from exai_trio.mcp.calls.open_calls import OpenCall, Requester
from exai_trio.wire.codec import decode_client, decode_daemon, encode
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import (
    Ack,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    DaemonMessage,
    ErrorReply,
    Progress,
    ToolsChanged,
)

from ..delivery.outbox import Farewell, Outbox
from ..sessions.session import Session

log = logging.getLogger("exai.http")

# HTTP acknowledges nothing. So long an outcome is taken to be on its way, and can be fetched by who was cut off; and so are this
# many of the newest frames, if they take no more than half of what a session may hold.
_UNACKED_S: Final = 60.0
_MOST_UNACKED: Final = 64


@structs.define(eq=False)
class HeardOutbox(Outbox):
    """There is no connection to write to: once somebody listens, each frame is heard in the step in which it is put."""

    _hear: Callable[[str | bytes], None] | None = None
    _closed: Callable[[], None] | None = None

    def listen(self, hear: Callable[[str | bytes], None], closed: Callable[[], None]) -> None:
        """From what was put already on."""
        self._hear, self._closed = hear, closed
        frames, self._frames, self._bytes = self._frames, [], 0
        for frame in frames:
            hear(frame)
        if self.farewell is not None:
            closed()

    def put(self, frame: str | bytes) -> None:
        if self._hear is None:
            super().put(frame)
        else:
            self._hear(frame)

    def close(self, farewell: Farewell) -> None:
        super().close(farewell)
        if self._closed is not None:
            self._closed()


@structs.define(eq=False)
class SessionRunner:
    """One session's calls, for any number of bridges; `ended` hears when nothing more comes of it. `objection` says why no call is
    taken now. `tools_changed` hears that another list of tools is told."""

    session: Session
    outbox: HeardOutbox
    objection: Callable[[], OverCapacityError | None]
    tools_changed: Callable[[], None]
    ended: Callable[["SessionRunner"], None]
    is_over: bool = False
    used_at: float = attrs.field(factory=trio.current_time)
    _last_seq: int = 0
    _waiting: dict[str, list[Bridge]] = attrs.field(factory=dict[str, list[Bridge]])
    _unacked: deque[tuple[int, float, int]] = attrs.field(factory=deque[tuple[int, float, int]])
    _unacked_bytes: int = 0

    def __repr__(self) -> str:
        state = "over" if self.is_over else "runs"
        return f"<SessionRunner {self.session.id} {state} waiting={len(self._waiting)}>"

    def is_idle(self, since: float) -> bool:
        """Whether nobody waits for anything, nor has asked since that moment."""
        return not self._waiting and self.used_at <= since

    def begin(self) -> None:
        """Pass on what the session says, until it says goodbye."""
        self.outbox.listen(self._hear, self.end)

    def end(self) -> None:
        """The session is left to itself."""
        if not self.is_over:
            self.is_over = True
            self.session.detach(self.outbox)
            self.ended(self)

    def _hear(self, frame: str | bytes) -> None:
        """Raises nothing: a session takes no other down."""
        try:
            self._heard(frame)
        except Exception:
            log.exception("an HTTP session failed", extra={"session": self.session.id})
            self.end()

    def _heard(self, frame: str | bytes) -> None:
        heard = decode_daemon(frame)
        # One that was told before is told again to who has asked for it again.
        if heard.seq is not None and heard.seq > self._last_seq:
            self._last_seq = heard.seq
            self._unacked.append((heard.seq, trio.current_time(), len(frame)))
            self._unacked_bytes += len(frame)
            if len(self._unacked) >= 2 * _MOST_UNACKED or self._is_heavy:
                self.acknowledge()
        self._deliver(heard.message)

    def _deliver(self, message: DaemonMessage) -> None:
        match message:
            case CallResult() | CallFailed() | ErrorReply():
                for bridge in self._waiting.pop(str(message.request_id), ()):
                    bridge.deliver(message)
            case CallAccepted():
                for bridge in self._waiting.get(str(message.request_id), ()):
                    call = bridge.calls.get(message.request_id)
                    if call is not None:
                        call.accepted = True
            case Progress():
                for bridge in self._waiting.get(str(message.request_id), ()):
                    bridge.deliver(message)
            case ToolsChanged():
                self.tools_changed()
            case _:
                pass

    def acknowledge(self) -> None:
        """What was told long ago, or before too much else, has arrived."""
        old, seq = trio.current_time() - _UNACKED_S, 0
        surplus = len(self._unacked) - _MOST_UNACKED
        while self._unacked and (surplus > 0 or self._is_heavy or self._unacked[0][1] <= old):
            seq, _, size = self._unacked.popleft()
            self._unacked_bytes -= size
            surplus -= 1
        if seq:
            self.session.acknowledge(Ack(seq=seq))

    @property
    def _is_heavy(self) -> bool:
        return 2 * self._unacked_bytes > self.session.rules.bounds.unacked_bytes

    # What bridges ask

    def ask(
        self, message: CallTool, size: int, bridge: Bridge, objection: ExaiError | None
    ) -> None:
        """Have it run, unless there is an objection, or join it if it runs already."""
        self.session.spoken_to = True
        self.used_at = trio.current_time()
        self._waiting.setdefault(str(message.request_id), []).append(bridge)
        told = decode_client(encode(message))
        assert isinstance(told, CallTool)
        self.session.call_tool(told, size, objection or self.objection())

    def rejoin(self, key: str, bridge: Bridge) -> bool:
        """Wait for a call that was asked for before; one that has ended is told at once. False if it is not known."""
        outcome = self.session.rules.outcome_of(key)
        if outcome is None and not self.session.rules.is_running(key):
            return False
        if outcome is None:
            bridges = self._waiting.setdefault(key, [])
            bridges += [] if bridge in bridges else [bridge]
        else:
            bridge.deliver(decode_daemon(outcome).message)
        return True

    def leave(self, key: str, bridge: Bridge) -> None:
        """This bridge waits no more; a call that nobody waits for is cancelled."""
        bridges = self._waiting.get(key, [])
        if bridge in bridges:
            bridges.remove(bridge)
        if not bridges and self._waiting.pop(key, None) is not None:
            self.session.cancel(Cancel(request_id=key))


@structs.frozen(eq=False)
class BridgeRunner:
    """The `Runner` of one bridge; `bridge` gives it, once it is made, and `objection` says why its client may call nothing."""

    shared: SessionRunner
    bridge: Callable[[], Bridge]
    objection: Callable[[], ExaiError | None]

    def start(self, call: OpenCall) -> None:
        call.sent += 1
        self.shared.ask(call.message, call.size, self.bridge(), self.objection())

    def cancel(self, call: OpenCall) -> None:
        self.shared.leave(call.key, self.bridge())

    def detach(self, call: OpenCall) -> None:
        pass

    def handle(self, call: OpenCall) -> str:
        return handle_of(self.shared.session.id, call.key)

    def deadline(self, call: OpenCall, requester: Requester) -> float:
        return requester.deadline

    def lateness(self, requester: Requester, now: float) -> tuple[str, str]:
        return "TIMEOUT", "no outcome came in time"
