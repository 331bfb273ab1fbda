"""The calls of one session: accepted or refused, and answered by frames to its client."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError, StorageError
from exai_trio.observability.events import CallRefused
from exai_trio.storage.journal import KeptOutcome
from exai_trio.storage.shared.shared_calls import AnswerLost, SessionMoved
from exai_trio.system.change import Change
from exai_trio.system.disk import fault_of
from exai_trio.wire.messages import (
    CallFailed,
    CallResult,
    Droppable,
    Outcome,
    RequestId,
)

from ..context import DaemonContext
from ..delivery.sender import Sender
from ..delivery.wire_errors import as_fault, not_journalled
from . import early_refusals
from .call import Call, Delivery, Recipient
from .call_journal import CallJournal, outcome_in
from .recovery import acceptance_of

log = logging.getLogger("exai.session")

_AGAIN_S: Final = 0.5
_REPORT_PATIENCE_S: Final = 1.0  # so long a call that only reports waits for the disk
_SLOW: Final = StorageError("The disk is slow.")


@structs.define(eq=False)
class SessionCalls:
    """The Recipient of what its session's client asked for. `table` has the calls that are not over and answer it; `heir` is whom those
    answer that are accepted once another daemon has the session."""

    sender: Sender
    context: DaemonContext
    journal: CallJournal | None = None
    table: dict[RequestId, Call] = attrs.field(factory=dict[RequestId, Call])
    heir: Recipient | None = None
    is_settled: bool = attrs.field(default=True, init=False)
    _change: Change = attrs.field(factory=Change)

    def __repr__(self) -> str:
        return f"<SessionCalls {'kept' if self.is_kept else 'not kept'} calls={len(self.table)}>"

    @property
    def journalled_as(self) -> str | None:
        return self.journal.session if self.journal else None

    @property
    def is_kept(self) -> bool:
        """A client of protocol 1 would not come to another daemon for it."""
        return self.journal is not None and self.sender.rules.resumable

    async def wait_none(self) -> None:
        """Return when no call is open, and every outcome is kept. Cancelling leaves nothing behind."""
        while self.table:
            await self._change.wait()

    async def wait_told(self, request_id: RequestId) -> None:
        """Return when this call does not run, and its outcome is kept or was told. Cancelling leaves nothing behind."""
        while request_id in self.table or self.sender.holds(request_id):
            await self._change.wait()

    def end_all(self, why: ExaiError) -> None:
        """Stop every call; each has `why` as its outcome."""
        for call in self.table.values():
            call.end(why)

    def forget(self, call: Call) -> None:
        if self.table.get(call.wire_id) is call:
            del self.table[call.wire_id]
        self._change.tell()

    def offer(self, message: Droppable) -> None:
        self.sender.offer(message)

    async def accept(self, call: Call) -> None:
        """Return when the call is accepted and on disk, and its acceptance may go; or when it is refused. Cancelled, nothing was
        told of it, and it may be on disk."""
        refusal = await early_refusals.refusal_of(call)
        if refusal is not None:
            self.refuse(call, refusal)
            return
        call.advance("allowed")
        numbered = self.sender.rules.accept(call.wire_id, acceptance_of(call))
        self.sender.hold(call.wire_id, numbered.frame)
        fault = await self._recorded(call, self.journal, numbered.seq) if self.journal else None
        if fault is not None and not call.tool.reports:
            log.error("call not journalled", extra={"fault": fault.message})
            self.refuse(call, not_journalled(fault))
            return
        call.is_recorded, call.is_doubtful = fault is None, fault is _SLOW
        if call.is_recorded:  # a report goes on without a disk, and is accepted when it is answered
            self.sender.release(call.wire_id)
        call.advance("accepted")
        if self.heir is not None and not call.is_elsewhere:
            call.advance("due")
            call.answer_to(self.heir)

    async def _recorded(self, call: Call, journal: CallJournal, seq: int) -> StorageError | None:
        began = call.elapsed
        fault = await self._record(call, journal, seq)
        call.waits.journal = call.elapsed - began
        call.waits.waited("journal", began, call.elapsed)
        return fault

    async def _record(self, call: Call, journal: CallJournal, seq: int) -> StorageError | None:
        """None once the call is on disk, or why it is not. Where a call only reports, a disk that takes long does not take it."""
        write = partial(journal.accept, call, seq=seq, resumable=self.sender.rules.resumable)
        if not call.tool.reports:
            return await _settled(write)
        with trio.move_on_after(_REPORT_PATIENCE_S):
            return await _settled(write)
        return _SLOW

    def refuse(self, call: Call, fault: ExaiError) -> None:
        """The call ends before its acceptance, in the place of that if it has a number already."""
        call.advance("refused")
        refused = CallRefused(tool=call.tool.name, code=fault.code, category=fault.category)
        self.context.events.publish(refused)
        log.debug("call refused", extra={"code": fault.code})
        failed = CallFailed(request_id=call.wire_id, error=as_fault(fault, call.correlation_id))
        frame = self.sender.rules.reject(call.wire_id, failed)
        if self.sender.holds(call.wire_id):
            self.sender.release(call.wire_id, instead=frame)
        else:
            self.sender.deliver(frame)

    def number(self, call: Call, outcome: Outcome) -> KeptOutcome:
        """The outcome takes its number, and waits until it is let go. Raises what encoding raises; then nothing has changed."""
        rules = self.sender.rules
        if isinstance(outcome, CallResult) and not rules.resumable:
            outcome = attrs.evolve(outcome, text="\n".join(one.text for one in outcome.outputs))
        numbered = rules.finish(call.wire_id, outcome)
        if not call.is_recorded:
            self.sender.release(call.wire_id)
        self.sender.hold(call.wire_id, numbered.frame)
        return KeptOutcome(seq=numbered.seq, frame=numbered.body, at=self.context.clock.now())

    def take(self, call: Call, outcome: Outcome) -> Delivery:
        kept = self.number(call, outcome)
        journal = self.journal if call.is_recorded or call.is_doubtful else None
        tell = partial(self.sender.release, call.wire_id)
        if journal is None or (call.is_recorded and journal.finish_at_once(call, kept)):
            return None, tell
        return partial(self._finish, journal, call, kept), tell

    async def _finish(self, journal: CallJournal, call: Call, kept: KeptOutcome) -> None:
        stands = await journal.finish(call, kept)
        if stands is not None:
            self.sender.replace(call.wire_id, outcome_in(stands))


async def _settled(write: Callable[[], Awaitable[None]]) -> StorageError | None:
    """None once it is written, or why it is not. What may have been written is written again until the store says what became of it: who
    is refused would hear of its answer, too. Cancelling leaves it written or not."""
    fault = await fault_of(write)
    if isinstance(fault, AnswerLost):
        while fault is not None and not isinstance(fault, SessionMoved):
            await trio.sleep(_AGAIN_S)
            fault = await fault_of(write)
    return fault
