"""MCP calls to EXAI calls and back: one step for each thing that happens, no I/O and no clock of its own.

Every call that is taken gets exactly one answer, unless its client withdraws it: its outcome, or ours at its deadline.
Progress goes only to requests that are open and asked for it, with rising values. Who has the calls run is a `Runner`: the
daemon itself, or the shim, which has one elsewhere.
"""

import math
from collections.abc import Iterator
from itertools import count
from typing import Final, Protocol

import attrs
import msgspec

from exai_trio import structs
from exai_trio.mcp import jsonrpc
from exai_trio.mcp.jsonrpc import Id
from exai_trio.mcp.params import Call
from exai_trio.mcp.sink import Sink
from exai_trio.system.change import Change
from exai_trio.wire.handles import handle_text
from exai_trio.wire.messages import (
    CallFailed,
    CallResult,
    DaemonMessage,
    ErrorReply,
    Fault,
    Output,
    Progress,
)

from .client_timeouts import budget_of
from .large_results import LargeResults
from .open_calls import CALL, OpenCall, OpenCalls, Requester, opened
from .replies import Replies
from .results import failure, local_fault, ran_earlier, too_large, too_many

MAX_OPEN: Final = 1_000
MAX_HELD: Final = 64 * 2**20  # bytes of arguments of all open calls
_VIEW_S: Final = 3.0  # for a list of conversations: editors ask for it when they start


class Runner(Protocol):
    """Who has calls run, and tells the bridge by `deliver` what becomes of them. Nothing here waits."""

    def start(self, call: OpenCall) -> None:
        """A new call. Its acceptance and the number of its sendings are noted on it."""
        ...

    def cancel(self, call: OpenCall) -> None:
        """Nobody waits for its answer any more, and it need not go on."""
        ...

    def detach(self, call: OpenCall) -> None:
        """Nobody waits for its answer any more, and it goes on: they have its handle."""
        ...

    def handle(self, call: OpenCall) -> str:
        """The id under which its outcome can be fetched."""
        ...

    def deadline(self, call: OpenCall, requester: Requester) -> float:
        """When this requester is answered at the latest."""
        ...

    def lateness(self, requester: Requester, now: float) -> tuple[str, str]:
        """Why it is not answered: a code, and a text for people."""
        ...


@structs.define(eq=False)
class Bridge:
    """The calls of one client. `name` makes its keys its own; `client_s` is EXAI_CLIENT_TIMEOUT_S; `max_frame` the most bytes that a
    message to `runner` may have."""

    sink: Sink
    runner: Runner
    large: LargeResults
    name: str
    # replaced by the setting wherever a shim is built
    max_frame: int = 32 * 2**20
    client_s: float = 0.0
    calls: OpenCalls = attrs.field(factory=OpenCalls)
    _replies: Replies = attrs.field(init=False)
    _numbers: Iterator[int] = attrs.field(factory=count)
    _change: Change = attrs.field(factory=Change)

    def __attrs_post_init__(self) -> None:
        self._replies = Replies(self.sink, self.large)

    def __repr__(self) -> str:
        return f"<Bridge {self.name} {self.calls!r}>"

    # The client's side

    def start(self, call: Call, now: float) -> None:
        """Take a call, or answer at once why not."""
        if call.id in self.calls:
            text = "this id belongs to an open request"
            self.sink.put(jsonrpc.error(call.id, jsonrpc.INVALID_REQUEST, text))
            return
        refusal = self._refusal(call)
        if refusal is not None:
            self._replies.result(call.id, failure(call.name, refusal, call.dialect))
            return
        hears = call.token is not None
        budget = budget_of(call.client, hears_progress=hears, told_s=self.client_s)
        patience = budget.answer_s if call.method == CALL else _VIEW_S
        requester = Requester(
            call.id, call.dialect, call.token, now + patience, began=now, method=call.method
        )
        key = call.key or self._own_key(call.id)
        known = self.calls.get(key)
        if known is not None and not known.is_same(call):
            key, known = self._own_key(call.id), None
        if known is not None:
            self.calls.join(known, requester)
            return
        new = opened(call, key, budget.handle_s)
        self.calls.add(new, requester)
        self.runner.start(new)

    def _refusal(self, call: Call) -> Fault | None:
        size = memoryview(call.arguments).nbytes
        if size > self.max_frame - 65_536:
            return too_large(size)
        if len(self.calls) < MAX_OPEN and self.calls.bytes_held + size <= MAX_HELD:
            return None
        return too_many(len(self.calls), MAX_OPEN)

    def _own_key(self, id_: Id) -> str:
        """A key that no other request gets, also one that uses the same id after this one's answer."""
        return f"{self.name}:{next(self._numbers)}:{msgspec.json.encode(id_).decode()}"[:512]

    def withdraw(self, id_: Id) -> None:
        """The client cancelled a call; it is not answered. Unknown and finished ones are none of our business."""
        call = self.calls.leave(id_)
        if call is not None:
            self.sink.put(b"", id_)
            self._let_go(call)

    def _let_go(self, call: OpenCall) -> None:
        if not call.requesters:
            self.runner.cancel(call)
        self._change.tell()

    def expire(self, now: float) -> None:
        """Answer every call whose deadline has passed: with its handle if it was accepted, else with the fault."""
        for call in self.calls:
            for requester in list(call.requesters.values()):
                if self.runner.deadline(call, requester) > now:
                    continue
                if call.accepted and requester.method == CALL:
                    self._give_handle(call, requester, now, "no news from the daemon")
                else:
                    code, why = self.runner.lateness(requester, now)
                    self._give_up(call, requester, why, code)

    def soonest_deadline(self) -> float:
        """When `expire` has something to do, as far as is known now."""
        of = self.runner.deadline
        every = (of(call, one) for call in self.calls for one in call.requesters.values())
        return min(every, default=math.inf)

    def give_handles(self, call: OpenCall, now: float, why: str) -> None:
        """Answer all who wait for it now: it goes on, and its outcome will not come this way."""
        for requester in list(call.requesters.values()):
            if requester.method == CALL:
                self._give_handle(call, requester, now, why)
            else:
                self._give_up(call, requester, why)

    def _give_handle(self, call: OpenCall, requester: Requester, now: float, why: str) -> None:
        """The daemon gives handles itself; this is for one that cannot, and will end what it has accepted."""
        call_id = self.runner.handle(call)
        took = now - requester.began
        text = handle_text(call_id, call.message.name, took, why)
        outcome = CallResult(
            request_id=call.key, outputs=[Output(text=text, metadata={"handle": call_id})]
        )
        self.calls.leave(requester.id)
        if not call.requesters:
            self.runner.detach(call)
        self._replies.outcome(call, requester, outcome)
        self._change.tell()

    def give_up_all(self, why: str) -> None:
        """Answer everything that is open with TIMEOUT, and have it cancelled."""
        for call in self.calls:
            for requester in list(call.requesters.values()):
                self._give_up(call, requester, why)

    def _give_up(
        self, call: OpenCall, requester: Requester, why: str, code: str = "TIMEOUT"
    ) -> None:
        category = "timeout" if code == "TIMEOUT" else "server"
        fault = local_fault(code, why, category, retryable=True, request_id=call.key)
        ran = call.whether_ran
        self.calls.leave(requester.id)
        self._let_go(call)
        self._replies.fault(call, requester, fault, ran)

    async def wait_idle(self) -> None:
        """Return when no call is open. Cancelling leaves nothing behind."""
        while len(self.calls):
            await self._change.wait()

    # The runner's side

    def deliver(self, message: DaemonMessage) -> None:
        """Take a message about a call. What belongs to no open call is dropped."""
        match message:
            case Progress():
                text = f"{message.stage}: {message.message}" if message.message else message.stage
                self._tell(message.request_id, message.elapsed_s, text)
            case CallResult():
                self._succeed(message)
            case CallFailed() | ErrorReply():
                self.fail(message.request_id, message.error)
            case _:
                pass

    def _tell(self, key: object, value: float, text: str) -> None:
        call = self.calls.get(key)
        if call is not None:
            self._replies.progress(call, value, text)

    def _succeed(self, outcome: CallResult) -> None:
        call = self.calls.close(outcome.request_id)
        if call is not None:
            for requester in call.requesters.values():
                self._replies.outcome(call, requester, outcome)
            self._change.tell()

    def fail(self, key: object, fault: Fault, ran: str | None = None) -> None:
        """The call has ended with this fault. `ran` says, for people, whether its work was done, if the fault's code does not."""
        call = self.calls.close(key)
        if call is not None:
            ran = ran or ran_earlier(fault.code, call.sent)
            for requester in call.requesters.values():
                self._replies.fault(call, requester, fault, ran)
            self._change.tell()

    def tell(self, call: OpenCall, text: str) -> None:
        """Say this to all who wait for the call and asked for progress."""
        self._replies.progress(call, 0.0, text)
