"""MCP calls to EXAI calls and back: one step for each thing that happens, no I/O and no clock of its own.

Every call that is taken gets exactly one answer, unless its client withdraws it: an outcome of the daemon's, or ours
at its deadline. Progress goes only to requests that are open and asked for it, with rising values.
"""

import logging
import os
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.transport.stdio import LineWriter
from exai_trio.wire import mcp, mcp_threads
from exai_trio.wire.handles import handle_of, handle_text
from exai_trio.wire.mcp import Id
from exai_trio.wire.mcp_params import Call
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

from .answers import EARLIER, failure, local_fault, ran_earlier, success, too_large, too_many
from .budgets import Promise, budget_of
from .large import MAX_ANSWER, Shelf
from .pending import CALL, Asker, Open, Pending, opened

log = logging.getLogger("exai.shim")

MAX_OPEN: Final = 1_000
MAX_HELD: Final = 64 * 2**20  # bytes of arguments of all open calls
MAX_SENDS: Final = 5  # of one call; a call that ends daemon after daemon is given up
_AWAY_EVERY_S: Final = 1.0
_SILENCE_S: Final = 5.0
_VIEW_S: Final = 3.0  # for a list of conversations: editors ask for it when they start


@structs.define(eq=False)
class Bridge:
    """The calls of one client. `work` is set when there is something to send, `asked` when a new call has come."""

    lines: LineWriter
    shelf: Shelf
    max_frame: int = 32 * 2**20
    roots: tuple[str, ...] = ()
    session_id: str = ""
    promise: Promise = attrs.field(factory=Promise)
    name: str = attrs.field(factory=lambda: os.urandom(8).hex())
    work: trio.Event = attrs.field(factory=trio.Event)
    asked: trio.Event = attrs.field(factory=trio.Event)
    _pending: Pending = attrs.field(factory=Pending)
    _greeted_roots: tuple[str, ...] = ()
    _numbers: Iterator[int] = attrs.field(factory=count)
    _idle: trio.Event = attrs.field(factory=trio.Event)

    # The client's side

    def start(self, call: Call, now: float) -> None:
        """Take a call, or answer at once why not."""
        if self._pending.asks(call.id):
            self.lines.put(
                mcp.error(call.id, mcp.INVALID_REQUEST, "this id belongs to an open request")
            )
            return
        refusal = self._refusal(call)
        if refusal is not None:
            self._answer(call.id, failure(call.name, refusal, call.dialect))
            return
        budget = budget_of(call.client)
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
        if self._pending.withdraw(id_) is not None:
            self.work.set()
            self._note_idle()

    def expire(self, now: float) -> None:
        """Answer every call whose deadline has passed: with its handle if a daemon has it, else with TIMEOUT."""
        late = [
            (call, asker)
            for call in self._pending.calls()
            for asker in call.askers.values()
            if min(asker.deadline, asker.began + self.promise.patience_s) <= now
        ]
        for call, asker in late:
            if call.accepted and asker.method == CALL:
                self._give_handle(call, asker, now)
            else:
                self._give_up(call, asker, "no answer came within the time this client waits")

    def _give_handle(self, call: Open, asker: Asker, now: float) -> None:
        """The daemon gives handles itself; this is for one that is away just now, and will end what it has accepted."""
        call_id = handle_of(self.session_id, call.key)
        text = handle_text(call_id, call.message.name, now - asker.began, "no news from the daemon")
        outcome = CallResult(
            request_id=call.key, outputs=[Output(text=text, metadata={"handle": call_id})]
        )
        self._pending.expire(asker.id)
        self._tell_outcome(call, asker, outcome)
        self._note_idle()

    def give_up_all(self, why: str) -> None:
        """Answer everything that is open with TIMEOUT."""
        for call in list(self._pending.calls()):
            for asker in list(call.askers.values()):
                self._give_up(call, asker, why)

    def _give_up(self, call: Open, asker: Asker, why: str) -> None:
        fault = local_fault("TIMEOUT", why, "timeout", retryable=True, request_id=call.key)
        self._pending.expire(asker.id)
        self._fail(call, asker, fault, call.whether_ran)
        self._note_idle()

    def _fail(self, call: Open, asker: Asker, fault: Fault, ran: str | None) -> None:
        if asker.method == CALL:
            result = failure(call.message.name, fault, asker.dialect, ran)
            self._answer(asker.id, result, call.key)
        else:
            about = (fault.code, fault.message, asker.dialect)
            self.lines.put(mcp_threads.missed(asker.id, asker.method, *about))

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
                self._tell(call, 0.0, text)

    def break_silence(self) -> None:
        """For each second that passes: who has heard nothing for long is told that there was nothing."""
        for call in self._pending.calls():
            call.silent += 1
            if call.silent > max(_SILENCE_S, 2 * self.promise.progress_s):
                self._tell(call, 0.0, "no news from the daemon")

    @property
    def waiting(self) -> int:
        return len(self._pending)

    async def wait_idle(self) -> None:
        """Return when no call is open."""
        while len(self._pending):
            await self._idle.wait()

    def _note_idle(self) -> None:
        if not len(self._pending):
            self._idle.set()
            self._idle = trio.Event()

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
        self.session_id = session_id
        self.promise = promise
        self._greeted_roots = greeted_roots
        for call in self._pending.reconnected(resumed=resumed):
            if call.sent >= MAX_SENDS:
                why = f"{call.sent} daemons or connections ended while this call ran"
                fault = local_fault("INTERRUPTED", why, "server", retryable=False)
                self._settle(call.key, fault, None)
        self.work.set()

    def take(self) -> list[CallTool | Cancel]:
        """What is to be sent now, in order."""
        frames: list[CallTool | Cancel] = [
            Cancel(request_id=key) for key in self._pending.cancels()
        ]
        frames += [
            self._with_roots(call.message) for call in self._pending.to_send(self.promise.window)
        ]
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
                self._settle(message.request_id, message.error, None)
            case CallAccepted():
                self._pending.accept(str(message.request_id))
            case _:
                pass

    def _progress(self, message: Progress) -> None:
        call = self._pending.get(message.request_id)
        if call is not None:
            text = f"{message.stage}: {message.message}" if message.message else message.stage
            self._tell(call, message.elapsed_s, text)

    def _tell(self, call: Open, value: float, text: str) -> None:
        if self.lines.busy:
            return
        call.silent = 0
        for asker in call.askers.values():
            if asker.token is not None:
                params = {
                    "progressToken": asker.token,
                    "progress": asker.rising(value),
                    "message": text,
                }
                self.lines.put(mcp.notice("notifications/progress", params))

    def _succeed(self, outcome: CallResult) -> None:
        call = self._pending.settle(outcome.request_id)
        if call is not None:
            for asker in call.askers.values():
                self._tell_outcome(call, asker, outcome)
            self._note_idle()
        if self._pending.has_unsent:  # there is room for one more
            self.work.set()

    def _tell_outcome(self, call: Open, asker: Asker, outcome: CallResult) -> None:
        if asker.method == CALL:
            result = success(outcome, asker.dialect)
            self._answer(asker.id, result, call.key)
        else:
            text = outcome.outputs[0].text
            self.lines.put(mcp_threads.told(asker.id, asker.method, text, asker.dialect))

    def _settle(self, key: object, fault: Fault, ran: str | None) -> None:
        call = self._pending.settle(key)
        if call is not None:
            for asker in call.askers.values():
                self._fail(call, asker, fault, ran or ran_earlier(fault.code, call.sent))
            self._note_idle()
        if self._pending.has_unsent:  # there is room for one more
            self.work.set()

    def _answer(self, id_: Id, result: dict[str, Any], call: str = "") -> None:
        line = mcp.answer(id_, result)
        if len(line) > MAX_ANSWER:
            line = mcp.answer(id_, self.shelf.fitting(result, call))
        self.lines.put(line)
