"""Calls that run in the daemon that we replaced: what it says of them, and what becomes of them when it is gone."""

import logging

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.wire.codec import WireError, decode_daemon, encode
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    Cancel,
    Outcome,
    Progress,
    StreamChunk,
)

from ..calls.call import Call
from ..calls.call_journal import key_of
from .transfer_messages import Lines, TransferredCall, Word, calls_of, line, word_of

log = logging.getLogger("exai.predecessor")


@structs.define(eq=False)
class RemoteCall:
    """One call there. `call` is what clients see of it here; `ended` is set with its outcome, or without one when the
    old daemon is gone, or does not run it."""

    elapsed_s: float
    session: str
    predecessor: "Predecessor"
    call: Call | None = None
    heard: Outcome | None = None
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def outcome(self, call: Call) -> Outcome | None:
        """What becomes of it there; None if that will never be known. Cancelled because a client withdrew the call, it has it ended
        there too."""
        self.call = call
        try:
            await self.ended.wait()
        except trio.Cancelled:
            if call.ending is not None and not call.is_left:
                self.predecessor.cancel(self.session, call)
            raise
        self.predecessor.forget(self.session, call)
        return self.heard

    def hear(self, message: object) -> None:
        match message:
            case CallResult() | CallFailed():
                self.heard = message
                self.ended.set()
            case CallAccepted():  # all that is left of it there: it is run from here
                self.ended.set()
            case Progress() | StreamChunk() if self.call is not None:
                self.call.repeat(message)
            case _:
                pass


_ByRequest = dict[tuple[str, str], RemoteCall]


@structs.define(eq=False)
class Predecessor:
    """The daemon that we replaced, until its last call has ended. `run` hears it; without that nothing ends."""

    stream: trio.abc.Stream
    _lines: Lines = attrs.Factory(lambda s: Lines(s.stream), takes_self=True)
    _calls: _ByRequest = attrs.field(factory=_ByRequest)
    _say: trio.MemorySendChannel[str] | None = None

    async def wait_left(self) -> None:
        """Return when it has said which calls run there, or is gone: in either case it leaves the home now. Cancelling loses
        nothing that it says later."""
        said = await self._lines.next()
        try:
            for one in calls_of(said or b"[]"):
                self._note(one)
        except msgspec.MsgspecError:
            log.exception("calls of the old daemon not understood")

    def _note(self, one: TransferredCall) -> None:
        self._calls[one.session, one.request] = RemoteCall(one.elapsed_s, one.session, self)

    def find(self, session: str, request: str) -> RemoteCall | None:
        """The call there, if it can still be heard of."""
        return self._calls.get((session, request))

    def forget(self, session: str, call: Call) -> None:
        """What comes of the call is kept here from now on."""
        self._calls.pop((session, key_of(call.wire_id)), None)

    def cancel(self, session: str, call: Call) -> None:
        """Have it ended there; one that the old daemon does not hear of ends without us."""
        word = Word(session=session, frame=encode(Cancel(request_id=call.wire_id)))
        if self._say is not None:
            try:
                self._say.send_nowait(line(word))
            except (trio.WouldBlock, trio.BrokenResourceError):
                log.warning("call not cancelled in the old daemon")

    async def run(self) -> None:
        """Until the old daemon is gone; then no call there has an outcome that is not here, and what has none will never have one.
        Cancelled, it is as if that daemon were gone."""
        # Cancellations: one for each call at most.
        self._say, saying = trio.open_memory_channel[str](max(1, len(self._calls)))
        try:
            async with trio.open_nursery() as legs:
                legs.start_soon(self._speak, saying)
                while (said := await self._lines.next()) is not None:
                    self._take(said)
                legs.cancel_scope.cancel(reason="the old daemon is gone")
        finally:
            gone = [key for key, one in self._calls.items() if one.heard is None]
            for key in gone:
                self._calls.pop(key).ended.set()
            log.info("the old daemon is gone", extra={"unanswered": len(gone)})

    async def _speak(self, saying: trio.MemoryReceiveChannel[str]) -> None:
        try:
            async for said in saying:
                await self.stream.send_all(said.encode())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # audit: empty-handler, because the reader finds out
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
