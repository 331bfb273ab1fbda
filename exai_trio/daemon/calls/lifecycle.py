"""The calls of one session from acceptance to their kept outcome, also over the daemon's death. What one run does: `calls`.

With a ledger a call is on disk before its acceptance goes out, and its outcome before that does. The waits are in the
call's own task: the reader never waits for the disk.
"""

import logging
from collections.abc import Awaitable, Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError, StorageError
from exai_trio.storage.sqlite.errors import NotKept
from exai_trio.system.change import Change
from exai_trio.wire.messages import CallFailed, CallResult, RequestId

from ..context import Shared
from ..delivery.sender import Mail
from . import early_refusals
from .call_journal import Ledger
from .call_log import count, sign_logs
from .execution import Call, Outcome, outcome_of
from .large_outcomes import fitting
from .recovery import acceptance_of, may_run_again
from .wire_errors import as_fault, not_journalled

log = logging.getLogger("exai.session")

_DISK_AGAIN_S = 1.0
_DISK_PATIENCE_S = 10.0  # so long an outcome waits for a disk that does not take it
_REPORT_PATIENCE_S = 1.0  # so long a call that only reports waits for one


@structs.frozen(eq=False)
class Due:
    """An outcome on its way to the disk."""

    running: "Running"
    ledger: Ledger
    request_id: RequestId
    seq: int
    body: str
    at: float

    async def keep(self) -> None:
        """Return once the outcome is on disk, however often it takes, or once there is no call on disk that it ends."""
        while True:
            try:
                await self.ledger.finish(self.request_id, seq=self.seq, body=self.body, at=self.at)
            except StorageError as fault:
                if isinstance(fault, NotKept) and not self.running.unwritten:
                    return  # the call itself is in a file that was set aside
                log.error("outcome not journalled", extra={"fault": fault.message})  # noqa: TRY400 - the fault says it all
            else:
                return
            await trio.sleep(_DISK_AGAIN_S)


@structs.define(eq=False)
class Running:
    """Owned by one session, which runs the tasks. `calls` can be cancelled; `busy` counts also those that are being kept.
    `unwritten`: the call that was handed over to here is not on disk yet."""

    mail: Mail
    shared: Shared
    ledger: Ledger | None = None
    calls: dict[RequestId, Call] = attrs.field(factory=dict[RequestId, Call])
    handed_over: "dict[RequestId, Running]" = attrs.field(factory=dict[RequestId, "Running"])
    busy: int = 0
    unwritten: bool = False
    _unrecorded: set[RequestId] = attrs.field(
        factory=set[RequestId]
    )  # reports go on without a disk
    _late: int = 0
    _change: Change = attrs.field(factory=Change)

    @property
    def holds_back(self) -> bool:
        """Something runs here, or is still due to the disk: its session must not end of itself."""
        return bool(self.busy or self._late or self.handed_over)

    async def wait_none(self) -> None:
        """Return when no call runs and every outcome is kept."""
        while self.busy:
            await self._change.wait()

    @property
    def is_kept(self) -> bool:
        """What runs here is in the journal, and another daemon can answer it. A client of protocol 1 would not come for it."""
        return self.ledger is not None and self.mail.rules.resumable

    @property
    def is_settled(self) -> bool:
        """Nothing is on its way to the disk."""
        return not self.mail.is_holding and all(map(self.is_accepted, self.calls))

    def is_accepted(self, request_id: RequestId) -> bool:
        """The running call of this id is on disk."""
        return bool(self.mail.rules.body_of(request_id)) and not self.mail.holds(request_id)

    async def wait_ended(self, request_id: RequestId) -> None:
        """Return when this call does not run, and its outcome is kept."""
        while request_id in self.calls or self.mail.holds(request_id):
            await self._change.wait()

    async def wait_dispensable(self) -> None:
        """Return when no task of ours runs a call of another session, and no outcome is still due to the disk."""
        while self.handed_over or self._late:
            await self._change.wait()

    async def wait_kept(self) -> None:
        """Return when no outcome is still due to the disk."""
        while self._late:
            await self._change.wait()

    def move(self, call: Call, there: "Running") -> None:
        """The call belongs there from now on, and ends there; its task is still ours."""
        self.handed_over[call.wire_id] = there
        there.calls[call.wire_id] = self.calls.pop(call.wire_id)
        there.busy += 1

    def _accept(self, call: Call) -> None:
        """The acceptance takes its number, and goes out once the call is on disk."""
        frame = self.mail.rules.accept(call.wire_id, acceptance_of(call))
        if self.ledger is None:
            self.mail.deliver(frame)
        else:
            self.mail.hold(call.wire_id, frame)

    async def run(self, call: Call) -> None:
        """An accepted call to its outcome. Cancelled, it stays open in the journal."""
        sign_logs(call)
        due: Due | None = None
        try:
            refusal = await early_refusals.paths_refused(call)
            if refusal is not None:
                self._refuse(call, refusal)
                return
            self._accept(call)
            if self.ledger is None or await self._record(call, self.ledger):
                self.shared.figures.accepted += 1
                due = await self._answer(call)
        finally:
            self._end(call)
        await self._keep_late(due)

    async def _record(self, call: Call, ledger: Ledger) -> bool:
        """Put the call on disk and let its acceptance go; or, unless it only reports, a refusal in its place."""
        fault = await (self._written_soon if call.tool.reports else self._written)(call, ledger)
        if fault is not None:
            if not call.tool.reports:
                self._reject(call, fault)
                return False
            self._unrecorded.add(call.wire_id)
        self.mail.let_go(call.wire_id)
        return True

    async def _written(self, call: Call, ledger: Ledger) -> StorageError | None:
        """None once the call is on disk, or why it is not."""
        rules = self.mail.rules
        seq, resumable = rules.seq_of(call.wire_id), rules.resumable
        try:
            await ledger.accept(call, seq=seq, resumable=resumable)
        except StorageError as fault:
            return fault
        return None

    async def _written_soon(self, call: Call, ledger: Ledger) -> StorageError | None:
        """The same; a disk that takes long is one that does not take it."""
        with trio.move_on_after(_REPORT_PATIENCE_S):
            return await self._written(call, ledger)
        return StorageError("The disk is slow.")

    def _refuse(self, call: Call, fault: ExaiError) -> None:
        """The call ends before its acceptance; whoever waits until nothing is on its way hears that too."""
        self.shared.figures.refused += 1
        log.debug("call refused", extra={"code": fault.code})
        failed = CallFailed(request_id=call.wire_id, error=as_fault(fault, call.correlation_id))
        self.calls.pop(call.wire_id, None)
        self.mail.hold(call.wire_id, self.mail.rules.reject(call.wire_id, failed))
        self.mail.let_go(call.wire_id)

    def _reject(self, call: Call, fault: StorageError) -> None:
        self.shared.figures.refused += 1
        log.error("call not journalled", extra={"fault": fault.message})
        error = as_fault(not_journalled(fault), call.correlation_id)
        refusal = CallFailed(request_id=call.wire_id, error=error)
        self.mail.let_go(call.wire_id, instead=self.mail.rules.reject(call.wire_id, refusal))

    async def _answer(
        self, call: Call, work: Callable[[Call], Awaitable[Outcome]] = outcome_of
    ) -> "Due | None":
        try:
            outcome = await fitting(call, await work(call), self.mail)
        finally:
            home = self.handed_over.get(call.wire_id, self)
            del home.calls[call.wire_id]
        if call.bequeathed is not None:
            call.bequeathed(outcome)
            return None
        if call.left and isinstance(outcome, CallFailed):
            return None  # open in the journal: the next daemon takes it up
        if isinstance(outcome, CallResult) and not home.mail.rules.resumable:
            outcome = attrs.evolve(outcome, text="\n".join(o.text for o in outcome.outputs))
        due = await home.conclude(call.wire_id, outcome)
        count(self.shared, call, outcome)
        return due

    async def conclude(self, request_id: RequestId, outcome: Outcome) -> "Due | None":
        """Put the outcome on disk, then let it go. A disk that fails for long keeps nobody from hearing it; what is still
        due to the disk then is returned."""
        rules = self.mail.rules
        frame = rules.finish(request_id, outcome)
        if self.ledger is None or request_id in self._unrecorded:
            self.mail.deliver(frame)
            return None
        self.mail.hold(request_id, frame)
        seq, body = rules.seq_of(request_id), rules.body_of(request_id)
        due = Due(self, self.ledger, request_id, seq, body, self.shared.now())
        with trio.move_on_after(_DISK_PATIENCE_S) as patience:
            await due.keep()
        self.mail.let_go(request_id)
        return due if patience.cancelled_caught else None

    async def _keep_late(self, due: "Due | None") -> None:
        """An outcome that the client has and the disk does not: the next daemon must not run the call again."""
        if due is not None:
            self._late += 1
            try:
                await due.keep()
            finally:
                self._late -= 1
                self._change.tell()

    async def go_on(self, call: Call, work: Callable[[Call], Awaitable[Outcome]]) -> None:
        """A call that an earlier daemon accepted and did not end, to the outcome that `work` gives. Cancelled, it stays open
        in the journal."""
        sign_logs(call)
        self.shared.figures.accepted += 1
        due: Due | None = None
        try:
            due = await self._answer(call, work)
        finally:
            self._end(call)
        await self._keep_late(due)

    async def break_off(self, request_id: RequestId, why: ExaiError) -> None:
        """A call of an earlier daemon that does not run again; `why` is its outcome."""
        self.shared.call_started()
        self.shared.figures.accepted += 1
        self.busy += 1
        due: Due | None = None
        try:
            error = as_fault(why, "restart")
            due = await self.conclude(request_id, CallFailed(request_id=request_id, error=error))
            self.shared.figures.count(why.code)
        finally:
            self._end(None)
        await self._keep_late(due)

    def end_all(self, why: ExaiError) -> None:
        """Stop every running call; each has `why` as its outcome."""
        for call in list(self.calls.values()):
            call.end(why)

    def leave_all(self, why: ExaiError, *, but_handed_on: bool = False) -> None:
        """Stop every running call, or those alone that no successor waits for. What the next daemon may run again stays open;
        the others have `why` as outcome. One that is being ended already keeps its own."""
        for call in list(self.calls.values()):
            if call.bequeathed is None or not but_handed_on:
                call.left = call.left or (call.ending is None and self._may_be_left(call))
                call.end(why)

    def _may_be_left(self, call: Call) -> bool:
        """A client of protocol 1 would never hear of it."""
        return self.is_kept and may_run_again(call, call.attempt)

    def begin(self, call: Call) -> None:
        """The call counts as running: `run` or `go_on` is to follow, in a task of its own."""
        self.calls[call.wire_id] = call
        self.busy += 1
        self.shared.call_started()

    def _end(self, call: Call | None) -> None:
        if call is not None:
            self.calls.pop(call.wire_id, None)
            self._unrecorded.discard(call.wire_id)
            there = self.handed_over.pop(call.wire_id, None)
            if there is not None:
                there.count_out()
        self.shared.call_ended()
        self.count_out()

    def count_out(self) -> None:
        """A call that was begun or moved here is over."""
        self.busy -= 1
        self._change.tell()
