"""The calls of one client on their way to a daemon and back, whichever connection there is.

Who connects: `link`. One step for each thing that happens, no I/O and no clock of its own. What a client is told,
`mcp.calls.bridge` knows.
"""

import os
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.mcp.calls.bridge import Bridge
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.calls.open_calls import OpenCall, Requester
from exai_trio.mcp.calls.results import EARLIER, local_fault
from exai_trio.mcp.sink import Sink
from exai_trio.system.change import Change
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    DaemonMessage,
    ErrorReply,
    RequestId,
)

from ..daemon_limits import DaemonLimits
from .availability import Availability
from .dispatch import Dispatch

MAX_SENDS: Final = 5  # of one call; a call that ends daemon after daemon is given up
MAX_RUNS: Final = 2  # of one call, by daemons that forget what they have accepted
_AWAY_EVERY_S: Final = 1.0
_SILENCE_S: Final = 5.0


@structs.define(eq=False)
class Relay:
    """Runs the bridge's calls at a daemon elsewhere. `work` is set when there is something to send, `asked` when a new call has come.
    `roots` are the client's directories."""

    sink: Sink
    large: LargeResults
    # replaced by the setting wherever a shim is built
    max_frame: int = 32 * 2**20
    client_s: float = 0.0
    roots: tuple[str, ...] = ()
    session_id: str = ""
    name: str = attrs.field(factory=lambda: os.urandom(8).hex())
    work: trio.Event = attrs.field(factory=trio.Event)
    asked: trio.Event = attrs.field(factory=trio.Event)
    daemon: Availability = attrs.field(factory=Availability)
    dispatch: Dispatch = attrs.field(factory=Dispatch)
    bridge: Bridge = attrs.field(init=False)
    _greeted_roots: tuple[str, ...] = ()
    _handles: set[str] = attrs.field(factory=set[str])  # which this client was told, of these calls
    _change: Change = attrs.field(factory=Change)

    def __attrs_post_init__(self) -> None:
        self.bridge = Bridge(self.sink, self, self.large, self.name, self.max_frame, self.client_s)

    def __repr__(self) -> str:
        return f"<Relay {self.session_id or 'no session'} {self.daemon!r} {self.dispatch!r}>"

    # What the bridge asks of whoever runs its calls

    def start(self, call: OpenCall) -> None:
        self.dispatch.add(call)
        self.work.set()
        self.asked.set()

    def cancel(self, call: OpenCall) -> None:
        self.dispatch.note(call.key, "withdrawn")
        self.work.set()

    def detach(self, call: OpenCall) -> None:
        self.dispatch.note(call.key, "detached")

    def handle(self, call: OpenCall) -> str:
        self._handles.add(call.key)
        return handle_of(self.session_id, call.key)

    def deadline(self, call: OpenCall, requester: Requester) -> float:
        return self.daemon.deadline(call, requester)

    def lateness(self, requester: Requester, now: float) -> tuple[str, str]:
        return self.daemon.lateness(requester, now)

    # What those who wait are told while there is nothing new

    def refuse_all(self, code: str, message: str, category: str) -> None:
        """No daemon will take calls: answer all that are open."""
        fault = local_fault(code, message, category, retryable=False)
        for call in self.bridge.calls:
            self._end(call.key)
            self.bridge.fail(call.key, fault, None if call.sent == 0 else EARLIER)

    def away(self, text: str, now: float) -> None:
        """Tell who waits, and asked for progress, that there is no daemon."""
        for call in self.bridge.calls:
            if now - call.told_away >= _AWAY_EVERY_S:
                call.told_away = now
                self.bridge.tell(call, text)

    def break_silence(self) -> None:
        """For each second that passes: who has heard nothing for long is told that there was nothing."""
        for call in self.bridge.calls:
            call.silent += 1
            if call.silent > max(_SILENCE_S, 2 * self.daemon.limits.progress_s):
                self.bridge.tell(call, "no news from the daemon")

    async def wait_cancelled(self) -> None:
        """Return when the daemon has said of all that is to be cancelled how it ended, or when there is none. Cancelling leaves
        nothing behind."""
        while self.dispatch.is_cancelling and self.daemon.absent_since is None:
            await self._change.wait()

    # What the link tells and asks

    def connected(
        self,
        *,
        session_id: str,
        resumed: bool,
        limits: DaemonLimits,
        greeted_roots: tuple[str, ...],
    ) -> None:
        """A connection is proven; what is to be sent again will be."""
        self.daemon.arrived(limits)
        self.session_id = session_id
        self._greeted_roots = greeted_roots
        for call in self.dispatch.reconnect(resumed=resumed):
            why = _no_more(call)
            if why:
                self._end(call.key)
                fault = local_fault("INTERRUPTED", why, "server", retryable=False)
                self.bridge.fail(call.key, fault)
        self.work.set()

    def superseded(self, now: float) -> None:
        """Another process has taken over the session: it hears how the calls end that were accepted, and our next session sends
        only the others again."""
        for call in self.dispatch.accepted():
            self.bridge.give_handles(call, now, "another process has taken over its session")

    def disconnected(self, now: float, reason: str, remedy: str) -> None:
        """There is no daemon, for the reason given; what is open waits."""
        self.daemon.left(now, reason, remedy)
        self._change.tell()

    def take(self) -> list[CallTool | Cancel]:
        """What is to be sent now, in order."""
        frames: list[CallTool | Cancel] = [
            Cancel(request_id=key) for key in self.dispatch.cancels()
        ]
        if not self.daemon.leaving:
            calls = self.dispatch.take(self.daemon.limits.window)
            frames += [self._with_roots(call.message) for call in calls]
        return frames

    def take_handles(self) -> list[RequestId]:
        """The calls of which handles were told here. One that has ended is named this once, with what acknowledges its outcome; if
        that is lost, the daemon hears of no other acknowledgement that says so."""
        told = sorted(self._handles)
        self._handles = {key for key in told if self.dispatch.state(key) != "over"}
        return list(told)

    def _with_roots(self, message: CallTool) -> CallTool:
        if self.roots == self._greeted_roots:
            return message
        return attrs.evolve(message, roots=list(self.roots))

    def deliver(self, message: DaemonMessage) -> None:
        """Take a message about a call. What belongs to no open call is dropped."""
        match message:
            case CallAccepted():
                self._accept(message)
                return
            case CallFailed() | ErrorReply() if self._is_turned_away(message):
                return
            case CallResult() | CallFailed() | ErrorReply():
                self._end(message.request_id)
            case _:
                pass
        self.bridge.deliver(message)

    def _accept(self, message: CallAccepted) -> None:
        call = self.bridge.calls.get(message.request_id)
        if self.dispatch.note(message.request_id, "accepted") and call is not None:
            call.runs += 1
            call.repeatable = message.repeatable is True

    def _is_turned_away(self, message: CallFailed | ErrorReply) -> bool:
        """The daemon, which is leaving, has not taken this call, and the next one will: it is to be sent again."""
        if not (self.daemon.leaving and message.error.code == "SERVICE_UNAVAILABLE"):
            return False
        call = self.bridge.calls.get(message.request_id)
        if call is None or not self.dispatch.note(call.key, "turned away"):
            return False
        call.sent -= 1
        return True

    def _end(self, key: object) -> None:
        self.dispatch.note(key, "ended")
        if self.dispatch.has_queued:  # there is room for one more
            self.work.set()
        self._change.tell()


def _no_more(call: OpenCall) -> str:
    """Why a call is not sent again; "" if it is."""
    if call.runs and not call.repeatable:
        return "the daemon that had accepted this call has forgotten it, and it may not run twice"
    if call.runs >= MAX_RUNS:
        return f"{call.runs} daemons that had accepted this call have forgotten it"
    if call.sent >= MAX_SENDS:
        return f"{call.sent} daemons or connections ended while this call ran"
    return ""
