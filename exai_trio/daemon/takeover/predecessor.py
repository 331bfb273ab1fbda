"""Calls that run in the daemon that we replaced: what it says of them, and what becomes of them when it is gone."""

import logging
from typing import Final

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.wire.codec import WireError, decode_daemon, encode
from exai_trio.wire.messages import CallFailed, CallResult, Cancel, Progress, StreamChunk

from ..calls.call_journal import key_of
from ..calls.execution import Call, Outcome, failure_of
from .messages import Bequeathed, Lines, Word, calls_of, line, word_of

log = logging.getLogger("exai.elsewhere")

_LIST_S: Final = 10.0  # an old daemon's disk may take its last writes for so long


@structs.define(eq=False)
class Remote:
    """One call there. `call` is what clients see of it here; `ended` is set with its outcome, or without one when the
    old daemon is gone."""

    elapsed_s: float
    session: str
    elsewhere: "Elsewhere"
    call: Call | None = None
    outcome: Outcome | None = None
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def outcome_of(self, call: Call) -> Outcome | None:
        """What becomes of it there; None if that will never be known. A client's cancel ends it in both places."""
        self.call = call
        with call.scope:
            await self.ended.wait()
        if call.scope.cancelled_caught:
            if not call.left:
                self.elsewhere.cancel(self.session, call)
            return failure_of(call)
        return self.outcome

    def hear(self, message: object) -> None:
        match message:
            case CallResult() | CallFailed():
                self.outcome = message
                self.ended.set()
            case Progress() if self.call is not None:
                self.call.stage(message.stage, message.message)
            case StreamChunk() if self.call is not None:
                self.call.emit(message)
            case _:
                pass


@structs.define(eq=False)
class Elsewhere:
    """The daemon that we replaced, until its last call has ended. `run` hears it; without that nothing ends."""

    stream: trio.abc.Stream
    _lines: Lines = attrs.field(default=attrs.Factory(lambda s: Lines(s.stream), takes_self=True))
    _calls: dict[tuple[str, str], Remote] = attrs.field(factory=dict[tuple[str, str], Remote])
    _say: trio.MemorySendChannel[str] | None = None

    async def wait_left(self) -> None:
        """Return when it has said which calls run there, or is gone: in either case it leaves the home now."""
        with trio.move_on_after(_LIST_S):
            said = await self._lines.next()
            try:
                for one in calls_of(said or b"[]"):
                    self._note(one)
            except msgspec.MsgspecError:
                log.exception("calls of the old daemon not understood")

    def _note(self, one: Bequeathed) -> None:
        self._calls[one.session, one.request] = Remote(one.elapsed_s, one.session, self)

    def find(self, session: str, request: str) -> Remote | None:
        """The call there, if it can still be heard of."""
        return self._calls.get((session, request))

    def cancel(self, session: str, call: Call) -> None:
        """Have it ended there; one that the old daemon does not hear of ends without us."""
        word = Word(session=session, frame=encode(Cancel(request_id=call.wire_id)))
        if self._say is not None:
            try:
                self._say.send_nowait(line(word))
            except (trio.WouldBlock, trio.BrokenResourceError):
                log.warning("call not cancelled in the old daemon")

    async def run(self) -> None:
        """Until the old daemon is gone; then no call there has an outcome that is not here."""
        # Cancellations: one for each call at most.
        self._say, saying = trio.open_memory_channel[str](max(1, len(self._calls)))
        try:
            async with trio.open_nursery() as legs:
                legs.start_soon(self._speak, saying)
                while (said := await self._lines.next()) is not None:
                    self._take(said)
                legs.cancel_scope.cancel(reason="the old daemon is gone")
        finally:
            gone = [one for one in self._calls.values() if not one.ended.is_set()]
            self._calls.clear()
            for one in gone:
                one.ended.set()
            log.info("the old daemon is gone", extra={"unanswered": len(gone)})

    async def _speak(self, saying: trio.MemoryReceiveChannel[str]) -> None:
        try:
            async for said in saying:
                await self.stream.send_all(said.encode())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the reader finds out

    def _take(self, said: bytes) -> None:
        try:
            word = word_of(said)
            message = decode_daemon(word.frame).message
        except (msgspec.MsgspecError, WireError):
            log.exception("old daemon not understood")
            return
        request_id = getattr(message, "request_id", None)
        if isinstance(request_id, str | int):
            remote = self._calls.get((word.session, key_of(request_id)))
            if remote is not None:
                remote.hear(message)
