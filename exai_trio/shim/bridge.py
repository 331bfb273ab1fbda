"""MCP calls to EXAI calls and back: one step for each thing that happens, no I/O and no clock of its own.

Every call that is taken gets exactly one answer, unless its client withdraws it: an outcome of the daemon's, or ours
at its deadline. Progress goes only to requests that are open and asked for it, with rising values.
"""

import logging
import math
import os
from collections.abc import Iterator
from itertools import count
from typing import Final

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.mcp import jsonrpc
from exai_trio.mcp.jsonrpc import Id
from exai_trio.mcp.large_results import Shelf
from exai_trio.mcp.open_calls import CALL, Asker, Open, Pending, opened
from exai_trio.mcp.params import Call
from exai_trio.mcp.results import EARLIER, failure, local_fault, ran_earlier, too_large, too_many
from exai_trio.shim.client_timeouts import Promise, budget_of
from exai_trio.system.change import Change
from exai_trio.transport.stdio import LineWriter
from exai_trio.wire.handles import handle_of, handle_text
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    DaemonMessage,
    ErrorReply,
    Fault,
    Output,
    Progress,
)

from .presence import Presence
from .replies import Replies

log = logging.getLogger("exai.shim")

MAX_OPEN: Final = 1_000
MAX_HELD: Final = 64 * 2**20  # bytes of arguments of all open calls
MAX_SENDS: Final = 5  # of one call; a call that ends daemon after daemon is given up
_AWAY_EVERY_S: Final = 1.0
_SILENCE_S: Final = 5.0
_VIEW_S: Final = 3.0  # for a list of conversations: editors ask for it when they start


@structs.define(eq=False)
class Bridge:
    """The calls of one client. `work` is set when there is something to send, `asked` when a new call has come.
    `client_s` is EXAI_CLIENT_TIMEOUT_S."""

    lines: LineWriter
    shelf: Shelf
    # replaced by the setting wherever a daemon is built
    max_frame: int = 32 * 2**20
    client_s: float = 0.0
    roots: tuple[str, ...] = ()
    session_id: str = ""
    name: str = attrs.field(factory=lambda: os.urandom(8).hex())
    work: trio.Event = attrs.field(factory=trio.Event)
    asked: trio.Event = attrs.field(factory=trio.Event)
    presence: Presence = attrs.field(factory=Presence)
    _replies: Replies = attrs.field(
        default=attrs.Factory(lambda self: Replies(self.lines, self.shelf), takes_self=True)
    )
    _pending: Pending = attrs.field(factory=Pending)
    _greeted_roots: tuple[str, ...] = ()
    _numbers: Iterator[int] = attrs.field(factory=count)
    _change: Change = attrs.field(factory=Change)

    # The client's side

    def start(self, call: Call, now: float) -> None:
        """Take a call, or answer at once why not."""
        if self._pending.asks(call.id):
            self.lines.put(
                jsonrpc.error(
                    call.id, jsonrpc.INVALID_REQUEST, "this id belongs to an open request"
                )
            )
            return
        refusal = self._refusal(call)
        if refusal is not None:
            self._replies.result(call.id, failure(call.name, refusal, call.dialect))
            return
        hears = call.token is not None
        budget = budget_of(call.client, hears_progress=hears, told_s=self.client_s)
        patience = budget.answer_s if call.method == CALL else _VIEW_S
        asker = Asker(
            call.id, call.dialect, call.token, now + patience, began=now, method=call.method
        )
        key = call.key or self._own_key(call.id)
        known = self._pending.get(key)
        if known is not None and not known.is_same(call):
            key, known = self._own_key(call.id), None
        if known is not None:
            self._pending.join(known, asker)
            return
        self._pending.add(opened(call, key, budget.handle_s), asker)
        self.work.set()
        self.asked.set()

    def _refusal(self, call: Call) -> Fault | None:
        size = memoryview(call.arguments).nbytes
        if size > self.max_frame - 65_536:
            return too_large(size)
        if len(self._pending) < MAX_OPEN and self._pending.bytes_held + size <= MAX_HELD:
            return None
        return too_many(len(self._pending), MAX_OPEN)

    def _own_key(self, id_: Id) -> str:
        """A key that no other request gets, also one that uses the same id after this one's answer."""
        return f"{self.name}:{next(self._numbers)}:{msgspec.json.encode(id_).decode()}"[:512]

    def withdraw(self, id_: Id) -> None:
        """The client cancelled a call; it is not answered. Unknown and finished ones are none of our business."""
        self.lines.withdraw(id_)
        if self._pending.withdraw(id_) is not None:
            self.work.set()
            self._change.tell()

    def expire(self, now: float) -> None:
        """Answer every call whose deadline has passed: with its handle if a daemon has it, else with the fault."""
        for call in list(self._pending.calls()):
            for asker in list(call.askers.values()):
                if self.presence.deadline(call, asker) <= now:
                    self._expire(call, asker, now)

    def soonest_deadline(self) -> float:
        """When `expire` has something to do, as far as is known now."""
        of = self.presence.deadline
        every = (of(call, one) for call in self._pending.calls() for one in call.askers.values())
        return min(every, default=math.inf)

    def _expire(self, call: Open, asker: Asker, now: float) -> None:
        if call.accepted and asker.method == CALL:
            self._give_handle(call, asker, now)
        elif self.presence.absent_since is None:
            self._give_up(call, asker, "no answer came within the time this client waits")
        else:
            why = self.presence.complaint(asker, now)
            self._give_up(call, asker, why, "SERVICE_UNAVAILABLE")

    def _give_handle(self, call: Open, asker: Asker, now: float) -> None:
        """The daemon gives handles itself; this is for one that is away just now, and will end what it has accepted."""
        call_id = handle_of(self.session_id, call.key)
        text = handle_text(call_id, call.message.name, now - asker.began, "no news from the daemon")
        outcome = CallResult(
            request_id=call.key, outputs=[Output(text=text, metadata={"handle": call_id})]
        )
        self._pending.expire(asker.id)
        self._replies.outcome(call, asker, outcome)
        self._change.tell()

    def give_up_all(self, why: str) -> None:
        """Answer everything that is open with TIMEOUT, and have it cancelled."""
        for call in list(self._pending.calls()):
            for asker in list(call.askers.values()):
                self._give_up(call, asker, why)

    def _give_up(self, call: Open, asker: Asker, why: str, code: str = "TIMEOUT") -> None:
        """Nobody will hear its answer: it need not go on."""
        category = "timeout" if code == "TIMEOUT" else "server"
        fault = local_fault(code, why, category, retryable=True, request_id=call.key)
        ran = call.whether_ran
        self._pending.withdraw(asker.id)
        self.work.set()
        self._replies.fault(call, asker, fault, ran)
        self._change.tell()

    def refuse_all(self, code: str, message: str, category: str) -> None:
        """No daemon will take calls: answer all that are open."""
        fault = local_fault(code, message, category, retryable=False)
        for call in list(self._pending.calls()):
            ran = None if call.sent == 0 else EARLIER
            self._settle(call.key, fault, ran)

    def away(self, text: str, now: float) -> None:
        """Tell who waits, and asked for progress, that there is no daemon."""
        for call in self._pending.calls():
            if now - call.told_away >= _AWAY_EVERY_S:
                call.told_away = now
                self._replies.progress(call, 0.0, text)

    def break_silence(self) -> None:
        """For each second that passes: who has heard nothing for long is told that there was nothing."""
        for call in self._pending.calls():
            call.silent += 1
            if call.silent > max(_SILENCE_S, 2 * self.presence.promise.progress_s):
                self._replies.progress(call, 0.0, "no news from the daemon")

    @property
    def waiting(self) -> int:
        return len(self._pending)

    async def wait_idle(self) -> None:
        """Return when no call is open."""
        while len(self._pending):
            await self._change.wait()

    async def wait_cancelled(self) -> None:
        """Return when the daemon has said of all that is to be cancelled how it ended, or when there is none."""
        while self._pending.is_cancelling and self.presence.absent_since is None:
            await self._change.wait()

    # The daemon's side

    def connected(
        self,
        *,
        session_id: str,
        resumed: bool,
        promise: Promise,
        greeted_roots: tuple[str, ...],
    ) -> None:
        """A connection is proven; what is to be sent again will be."""
        self.presence.come(promise)
        self.session_id = session_id
        self._greeted_roots = greeted_roots
        for call in self._pending.reconnected(resumed=resumed):
            if call.sent >= MAX_SENDS:
                why = f"{call.sent} daemons or connections ended while this call ran"
                fault = local_fault("INTERRUPTED", why, "server", retryable=False)
                self._settle(call.key, fault, None)
        self.work.set()

    def disconnected(self, now: float, absence: str, remedy: str) -> None:
        """There is no daemon, for the reason given; what is open waits."""
        self.presence.go(now, absence, remedy)
        self._change.tell()

    @property
    def expects_more(self) -> bool:
        """The daemon still owes us how a call ended."""
        return self._pending.runs_any

    def take(self) -> list[CallTool | Cancel]:
        """What is to be sent now, in order."""
        frames: list[CallTool | Cancel] = [
            Cancel(request_id=key) for key in self._pending.cancels()
        ]
        if not self.presence.leaving:
            calls = self._pending.to_send(self.presence.promise.window)
            frames += [self._with_roots(call.message) for call in calls]
        return frames

    def _with_roots(self, message: CallTool) -> CallTool:
        if self.roots == self._greeted_roots:
            return message
        return attrs.evolve(message, roots=list(self.roots))

    def deliver(self, message: DaemonMessage) -> None:
        """Take a message about a call. What belongs to no open call is dropped."""
        match message:
            case Progress():
                self._progress(message)
            case CallResult():
                self._succeed(message)
            case CallFailed() | ErrorReply() if isinstance(message.request_id, str | int):
                turned_away = self.presence.leaving and message.error.code == "SERVICE_UNAVAILABLE"
                if not (turned_away and self._pending.put_back(message.request_id)):
                    self._settle(message.request_id, message.error, None)
            case CallAccepted():
                self._pending.accept(str(message.request_id))
            case _:
                pass

    def _progress(self, message: Progress) -> None:
        call = self._pending.get(message.request_id)
        if call is not None:
            text = f"{message.stage}: {message.message}" if message.message else message.stage
            self._replies.progress(call, message.elapsed_s, text)

    def _succeed(self, outcome: CallResult) -> None:
        call = self._pending.settle(outcome.request_id)
        if call is not None:
            for asker in call.askers.values():
                self._replies.outcome(call, asker, outcome)
        self._note_ended()

    def _settle(self, key: object, fault: Fault, ran: str | None) -> None:
        call = self._pending.settle(key)
        if call is not None:
            for asker in call.askers.values():
                ran_before = ran or ran_earlier(fault.code, call.sent)
                self._replies.fault(call, asker, fault, ran_before)
        self._note_ended()

    def _note_ended(self) -> None:
        if self._pending.has_unsent:  # there is room for one more
            self.work.set()
        self._change.tell()
