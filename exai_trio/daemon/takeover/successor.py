"""Leaving to a successor without ending what runs: clients are sent to it at once, calls end here and are answered there.

The successor owns the home, and alone writes the journal, from the moment that it has heard which calls run here. When it
is gone nobody can be answered from here: the calls are cut, and whoever starts next finds them open in the journal.
"""

import logging
from collections.abc import Callable
from functools import partial

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import CallCancelled, CallInterrupted
from exai_trio.system.disk import fault_of, until_written
from exai_trio.transport.websocket import SERVICE_RESTART
from exai_trio.wire.codec import WireError, decode_client, encode
from exai_trio.wire.messages import Bye, Cancel, Droppable, Outcome

from ..calls.call import Call, Delivery
from ..calls.call_journal import key_of
from ..calls.lifecycle import Calls
from ..calls.session_calls import SessionCalls
from ..calls.states import State
from ..delivery.outbox import Farewell, Outbox
from ..sessions.session import Session
from ..sessions.session_registry import Sessions
from .transfer_messages import Lines, TransferredCall, Word, line, word_of

log = logging.getLogger("exai.successor")

_SETTLE_S = 30.0  # for what is on its way to the disk; a disk that takes longer is taken for one that is gone
_ACKS_S = 4.0
_LAST_WORDS_S = 5.0


@structs.frozen(eq=False)
class Transferred:
    """The Recipient of a call whose outcome the successor keeps. `here` hears it too: a client of protocol 1 does not go over."""

    box: Outbox
    journalled_as: str
    here: SessionCalls | None
    is_kept: bool = True
    is_settled: bool = True

    def offer(self, message: Droppable) -> None:
        self.box.offer(line(Word(session=self.journalled_as, frame=encode(message))))
        if self.here is not None:
            self.here.offer(message)

    def take(self, call: Call, outcome: Outcome) -> Delivery:
        tell = partial(self.box.put, line(Word(session=self.journalled_as, frame=encode(outcome))))
        if self.here is not None:
            self.here.number(call, outcome)
            self.here.sender.release(call.wire_id)
        return None, tell

    def forget(self, call: Call) -> None:
        if self.here is not None:
            self.here.forget(call)


@structs.define(eq=False)
class Successor:
    """The successor, as the daemon knows it that leaves. What it is told waits in `box`; `transferred` has the calls whose
    outcomes it waits for, by session and request."""

    sessions: Sessions
    stream: trio.abc.Stream
    box: Outbox = attrs.field(factory=Outbox)
    transferred: dict[tuple[str, str], Call] = attrs.field(factory=dict[tuple[str, str], Call])

    @property
    def calls(self) -> Calls:
        return self.sessions.calls

    async def take_all(self, let_go: Callable[[], None]) -> None:
        """Send the clients away, leave the home by `let_go`, and return when no call runs here any more.

        Cancelled, it leaves the calls open in the journal.
        """
        self.calls.context.shutdown.draining = True
        for session in self.sessions.table.values():
            if session.outbox is not None:  # one that cannot go over is heard out
                retry_after_s = 0.0 if session.calls.is_kept else self.calls.context.config.drain_s
                session.outbox.put(encode(Bye(reason="draining", retry_after_s=retry_after_s)))
        await self._settle()
        staying = self._send_away()
        let_go()
        log.info("replaced", extra={"running": len(self.calls.open)})
        async with trio.open_nursery() as leaving:
            leaving.start_soon(self._hear, leaving.cancel_scope)
            leaving.start_soon(self._tell, leaving.cancel_scope)
            leaving.start_soon(self._end_what_stays)
            async with trio.open_nursery() as seen_out:
                for session in staying:
                    seen_out.start_soon(_see_out, session)
            await self.calls.wait_none()
            self.box.close(Farewell())

    async def _settle(self) -> None:
        """Return when every call in the journal is transferred, so that nothing of them can be written here any more: what is
        on its way to the disk is waited for, and what an earlier daemon runs is taken up: only from here the successor hears of
        it. A disk that takes too long ends all calls here, as if we had been killed: the successor finds them open."""
        with trio.move_on_after(_SETTLE_S) as patience:
            await trio.lowlevel.checkpoint()
            if self.sessions.predecessor is not None:
                await until_written(self.sessions.restore, "calls of an earlier daemon")
            while self._transfer_settled():
                await self.calls.changed.wait()
        if patience.cancelled_caught:
            log.error("calls are cut, since the disk does not take them")
            self.calls.cut()
            self.transferred.clear()
        with trio.move_on_after(_ACKS_S):
            fault = await fault_of(self.sessions.note_acks)
            if fault is not None:
                log.warning("acknowledgements not journalled", extra={"fault": fault.message})
            await self._leave_journal()

    async def _leave_journal(self) -> None:
        """The successor reads the journal; what is still written from here, it finds as well."""
        journal = self.calls.context.journal
        fault = await fault_of(journal.retire) if journal is not None else None
        if fault is not None:
            log.error("journal not left in order", extra={"fault": fault.message})

    def _transfer_settled(self) -> bool:
        """Calls that end from now on must not go to the disk any more, or there were no end of it under load. True if something
        is still on its way there."""
        unsettled = False
        for call in self.calls.open:
            may_be_kept = call.is_recorded or call.is_doubtful
            name = call.recipient.journalled_as if may_be_kept else None
            if name is not None and call.is_recorded and call.is_settled:
                self._transfer(call, name)
            unsettled |= name is not None and call.state is not State.TRANSFERRED
        return unsettled

    def _transfer(self, call: Call, name: str) -> None:
        self.transferred[name, key_of(call.wire_id)] = call
        home = call.recipient
        here = home if isinstance(home, SessionCalls) and not home.is_kept else None
        call.advance("transferred")
        call.answer_to(Transferred(self.box, name, here))
        if here is not None:
            here.table[call.wire_id] = call

    def _send_away(self) -> list[Session]:
        """The successor is told what runs here, and clients that can go there are sent. Returns the sessions of those that cannot."""
        told = [
            TransferredCall(session=name, request=request, elapsed_s=call.elapsed)
            for (name, request), call in self.transferred.items()
        ]
        self.box.put_first(line(told))
        staying: list[Session] = []
        for session in self.sessions.table.values():
            if not session.calls.is_kept:
                staying.append(session)
            elif session.outbox is not None:
                session.outbox.close(Farewell(SERVICE_RESTART, "draining"))
        return staying

    async def _end_what_stays(self) -> None:
        """What no successor can answer has EXAI_DRAIN_S."""
        await trio.sleep(self.calls.context.config.drain_s)
        for call in self.calls.open:
            if not isinstance(call.recipient, Transferred) or call.recipient.here is not None:
                call.end(interrupted(0.0))

    async def _tell(self, leaving: trio.CancelScope) -> None:
        """Until the last outcome is on its way, or the successor is gone."""
        try:
            while words := await self.box.take():
                lines = [word for word in words if isinstance(word, str)]
                await self.stream.send_all("".join(lines).encode())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # audit: empty-handler, because the other leg finds out
            pass  # the other leg finds out
        else:
            leaving.cancel(reason="the last call has ended")

    async def _hear(self, leaving: trio.CancelScope) -> None:
        lines = Lines(self.stream)
        while (said := await lines.next()) is not None:
            self._take(said)
        log.warning("the successor is gone", extra={"running": len(self.calls.open)})
        self.calls.leave_all(interrupted(None))
        with trio.move_on_after(_LAST_WORDS_S):
            await self.calls.wait_none()
        leaving.cancel(reason="the successor is gone")

    def _take(self, said: bytes) -> None:
        try:
            word = word_of(said)
            frame = decode_client(word.frame)
        except (msgspec.MsgspecError, WireError):
            log.exception("successor not understood")
            return
        if isinstance(frame, Cancel):
            call = self.transferred.get((word.session, key_of(frame.request_id)))
            if call is not None:
                call.end(CallCancelled("the client cancelled the call"))


async def _see_out(session: Session) -> None:
    """A client that cannot go over (of protocol 1, or without a journal) hears its outcomes here."""
    with trio.move_on_after(session.context.config.drain_s + _LAST_WORDS_S):
        await session.calls.wait_none()
    if session.outbox is not None:
        session.outbox.close(Farewell(SERVICE_RESTART, "draining"))


def interrupted(retry_after_s: float | None) -> CallInterrupted:
    return CallInterrupted(
        "the daemon stopped before the call was done; the provider may already have done the work. Send it again",
        retry_after_s=retry_after_s,
    )
