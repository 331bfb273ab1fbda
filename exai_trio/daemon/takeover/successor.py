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
from exai_trio.errors import CallCancelled, CallInterrupted, StorageError
from exai_trio.transport.websocket import SERVICE_RESTART
from exai_trio.wire.codec import WireError, decode_client, encode
from exai_trio.wire.messages import Bye, Cancel, Progress, StreamChunk

from ..calls.call_journal import key_of
from ..calls.execution import Call, Outcome
from ..context import Shared
from ..delivery.outbox import Farewell, Outbox
from ..sessions.registry import Sessions
from ..sessions.session import Session
from .messages import Bequeathed, Lines, Word, line, word_of

log = logging.getLogger("exai.heir")

_SETTLE_S = 4.0  # for what is on its way to the disk; a call that it does not take by then is not bequeathed
_LAST_WORDS_S = 5.0


@structs.frozen(eq=False)
class Heir:
    """The successor, as the daemon knows it that leaves. What it is told waits in `box`."""

    sessions: Sessions
    stream: trio.abc.Stream
    box: Outbox = attrs.field(factory=Outbox)
    handed_on: list[Bequeathed] = attrs.field(factory=list[Bequeathed])

    @property
    def shared(self) -> Shared:
        return self.sessions.shared

    async def take_all(self, let_go: Callable[[], None]) -> None:
        """Send the clients away, leave the home by `let_go`, and return when no call runs here any more.

        Cancelled, it leaves the calls open in the journal.
        """
        self.shared.draining.set()
        for outbox in self.sessions.outboxes():
            outbox.put(encode(Bye(reason="draining", retry_after_s=0.0)))
        await self._settle()
        bequeathed = self._bequeath()
        let_go()
        log.info("replaced", extra={"running": self.shared.figures.running})
        async with trio.open_nursery() as leaving:
            leaving.start_soon(self._hear, leaving.cancel_scope)
            leaving.start_soon(self._tell, leaving.cancel_scope)
            async with trio.open_nursery() as staying:
                for session in list(self.sessions.table.values()):
                    if session.id not in bequeathed:
                        staying.start_soon(see_out, session)
            await self.shared.wait_quiet()
            self.box.close(Farewell())

    async def _settle(self) -> None:
        """What was accepted or has ended just now is on disk, and so is what the clients have."""
        with trio.move_on_after(_SETTLE_S):
            await trio.lowlevel.checkpoint()
            for session in list(self.sessions.table.values()):
                if session.running.is_kept:
                    await self._settle_one(session)
            try:
                await self.sessions.note_acks()
            except StorageError as fault:
                log.warning("acknowledgements not journalled", extra={"fault": fault.message})
            await self._leave_journal()

    async def _leave_journal(self) -> None:
        """The successor reads the journal; what is still written from here, it finds as well."""
        if self.shared.journal is not None:
            try:
                await self.shared.journal.retire()
            except StorageError as fault:
                log.error("journal not left in order", extra={"fault": fault.message})  # noqa: TRY400 - the fault says it all

    async def _settle_one(self, session: Session) -> None:
        """Calls that end meanwhile must not go to the disk any more, or this would not end under load."""
        self._hand_on_all(session)
        while not session.running.is_settled:
            await session.mail.wait_let_go()
            self._hand_on_all(session)
        await session.running.wait_kept()

    def _bequeath(self) -> set[str]:
        """Calls that the successor finds in the journal are its own from this step on. Returns the sessions that go over."""
        gone: set[str] = set()
        for session in self.sessions.table.values():
            if session.running.is_settled and session.running.is_kept:
                gone.add(session.id)
                self._hand_on_all(session)
                if session.outbox is not None:
                    session.outbox.close(Farewell(SERVICE_RESTART, "draining"))
        self.box.put_first(line(self.handed_on))
        return gone

    def _hand_on_all(self, session: Session) -> None:
        """The outcomes of all calls that are on disk by now go to the successor."""
        for call in session.calls.values():
            if call.bequeathed is None and session.running.is_accepted(call.wire_id):
                self.handed_on.append(self._hand_on(session.id, call))

    def _hand_on(self, session_id: str, call: Call) -> Bequeathed:
        call.emit = partial(self._offer, session_id)
        call.bequeathed = partial(self._conclude, session_id)
        request = key_of(call.wire_id)
        return Bequeathed(session=session_id, request=request, elapsed_s=call.elapsed)

    def _offer(self, session_id: str, message: Progress | StreamChunk) -> None:
        self.box.offer(line(Word(session=session_id, frame=encode(message))))

    def _conclude(self, session_id: str, outcome: Outcome) -> None:
        self.box.put(line(Word(session=session_id, frame=encode(outcome))))

    async def _tell(self, leaving: trio.CancelScope) -> None:
        """Until the last outcome is on its way, or the successor is gone."""
        try:
            while words := await self.box.take():
                await self.stream.send_all("".join(words).encode())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the other leg finds out
        else:
            leaving.cancel(reason="the last call has ended")

    async def _hear(self, leaving: trio.CancelScope) -> None:
        lines = Lines(self.stream)
        while (said := await lines.next()) is not None:
            self._take(said)
        log.warning("the successor is gone", extra={"running": self.shared.figures.running})
        self.sessions.leave_calls(interrupted(None))
        with trio.move_on_after(_LAST_WORDS_S):
            await self.shared.wait_quiet()
        leaving.cancel(reason="the successor is gone")

    def _take(self, said: bytes) -> None:
        try:
            word = word_of(said)
            frame = decode_client(word.frame)
        except (msgspec.MsgspecError, WireError):
            log.exception("successor not understood")
            return
        session = self.sessions.table.get(word.session)
        if session is not None and isinstance(frame, Cancel):
            call = session.calls.get(frame.request_id)
            if call is not None:
                call.end(CallCancelled("the client cancelled the call"))


async def see_out(session: Session) -> None:
    """A client that cannot go over (of protocol 1, or without a journal) hears its outcomes here, for EXAI_DRAIN_S."""
    with trio.move_on_after(session.shared.config.drain_s):
        await session.running.wait_none()
    session.running.leave_all(interrupted(0.0), but_handed_on=True)
    with trio.move_on_after(_LAST_WORDS_S):
        await session.running.wait_none()
    if session.outbox is not None:
        session.outbox.close(Farewell(SERVICE_RESTART, "draining"))


def interrupted(retry_after_s: float | None) -> CallInterrupted:
    return CallInterrupted(
        "the daemon stopped before the call was done; the provider may already have done the work. Send it again",
        retry_after_s=retry_after_s,
    )
