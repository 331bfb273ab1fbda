"""Calls that were answered with a handle, and go on without their client.

The handle is the request's one outcome, and frees its place; a client that leaves, or cancels the finished request, ends
nothing; the journal knows the work under the handle, so that a restart takes it up again.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.journal import KeptOutcome
from exai_trio.system.change import Change
from exai_trio.system.disk import fault_of, until_written
from exai_trio.wire.codec import encode
from exai_trio.wire.handles import handle_text
from exai_trio.wire.messages import CallResult, Droppable, Outcome, Output

from .call import Call, Delivery
from .call_journal import CallJournal
from .session_calls import SessionCalls

log = logging.getLogger("exai.session")

_DISK_PATIENCE_S: Final = 10.0  # so long a handle waits for a disk that takes its time
_DISK_AGAIN_S: Final = 1.0
ACCEPTED_SEQ, OUTCOME_SEQ = 1, 2  # the numbers of its frames in the journal
_LEAST_S: Final = 1.0


@structs.define(eq=False)
class DetachedCall:
    """The Recipient of a call whose client has a handle. `table` has those that can be asked for, by their handles; `journal` is
    under the handle; `outcome` is the frame, once it is told. `is_settled`: the handle is on disk."""

    call: Call
    name: str
    table: "dict[str, DetachedCall]"
    journal: CallJournal | None
    is_settled: bool = True
    outcome: str | None = None
    _stands: str | None = None  # another daemon's outcome, which counts
    _change: Change = attrs.field(factory=Change)

    @property
    def journalled_as(self) -> str | None:
        return self.name if self.journal else None

    @property
    def is_kept(self) -> bool:
        return self.journal is not None

    def take_over(self) -> None:
        """The call answers to this from now on."""
        self.table[self.name] = self
        self.call.answer_to(self)
        self.call.go_on_alone()

    def offer(self, message: Droppable) -> None:
        """Nobody is told: progress after an answer has broken clients."""

    async def wait_told(self) -> None:
        """Return when the outcome may be told. Cancelling leaves nothing behind."""
        while self.outcome is None:
            await self._change.wait()

    def take(self, call: Call, outcome: Outcome) -> Delivery:
        frame = encode(outcome)
        kept = KeptOutcome(seq=OUTCOME_SEQ, frame=frame, at=call.context.clock.now())
        write = partial(self._write, self.journal, kept) if self.journal else None
        return write, partial(self._tell, frame)

    async def _write(self, journal: CallJournal, kept: KeptOutcome) -> None:
        while not self.is_settled:
            await self._change.wait()
        self._stands = await journal.finish(self.call, kept)

    def _tell(self, frame: str) -> None:
        self.outcome = self._stands or frame
        self._change.tell()

    def forget(self, call: Call) -> None:
        """Whoever asks from now on finds it in the journal, or in the daemon that it was transferred to."""
        if self.is_kept:
            self.table.pop(self.name, None)

    async def outlive(self, grace_s: float) -> None:
        """Without a journal the outcome can be asked for as long as a session's. Return when it is forgotten.
        Cancelled, it is kept as long as the daemon."""
        if not self.is_kept:
            await trio.sleep(max(_LEAST_S, grace_s))
            self.table.pop(self.name, None)

    async def keep(self, home: SessionCalls, write: Callable[[], Awaitable[None]]) -> None:
        """Put the handle on disk, then let it go to the client; a disk that refuses it keeps nobody from it, and gets it later.
        Cancelled before that, the handle is not told, and is on disk or not."""
        kept = False
        with trio.move_on_after(_DISK_PATIENCE_S):
            kept = await fault_of(write) is None
        home.sender.release(self.call.wire_id)
        if not kept:
            await trio.sleep(_DISK_AGAIN_S)
            await until_written(write, "handle")
        self.is_settled = True
        self._change.tell()
        self.call.changed.tell()


def detach(
    call: Call, home: SessionCalls, table: dict[str, DetachedCall]
) -> Callable[[], Awaitable[None]]:
    """Answer the call with its handle. Returns what is left to do: to keep that, and then to let it go."""
    handle = home.number(call, handle_of(call))
    call.advance("due")
    journal = home.journal.under(call.call_id) if home.journal and call.is_recorded else None
    detached = DetachedCall(call, call.call_id, table, journal, is_settled=journal is None)
    detached.take_over()
    extra = {"call_id": detached.name, "tool": call.tool.name}
    log.info("call goes on without its client", extra=extra)
    if journal is None or home.journal is None:
        return partial(detached.keep, home, trio.lowlevel.checkpoint)
    begun = attrs.evolve(
        journal.page(call, seq=ACCEPTED_SEQ, resumable=True), attempts=call.attempt
    )
    return partial(detached.keep, home, partial(home.journal.hand_over, call, handle, begun))


def handle_of(call: Call) -> CallResult:
    """The handle as the outcome of the request."""
    text = handle_text(call.call_id, call.tool.name, call.elapsed, call.told_so_far)
    output = Output(text=text, metadata={"handle": call.call_id})
    return CallResult(request_id=call.wire_id, outputs=[output])
