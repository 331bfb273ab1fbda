"""Waiting for outcomes of calls that run elsewhere: whoever compares with the store brings them."""

import logging
from collections.abc import Callable, Iterable

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.shared.shared_calls import CallName, Said
from exai_trio.wire.codec import WireError, decode_daemon
from exai_trio.wire.messages import Droppable, Outcome, Progress, StreamChunk

from ...calls.call import Call
from ...calls.call_journal import key_of, outcome_in
from ...calls.recovery import broken_off

log = logging.getLogger("exai.cluster")


@structs.define(eq=False)
class _Waiting:
    """`frame` is the outcome once it has `come`, None of a call that is not kept any more. `call` is what a client sees of it."""

    name: Callable[[], CallName | None]
    call: Call | None = None
    frame: str | None = None
    come: trio.Event = attrs.field(factory=trio.Event)


def name_of(call: Call) -> CallName | None:
    """The call as the journal has it; None while it changes its name there."""
    recipient = call.recipient
    if recipient.journalled_as is None or not recipient.is_settled:
        return None
    return recipient.journalled_as, key_of(call.wire_id)


def _droppable(frame: str) -> Droppable | None:
    """None of what another version says."""
    try:
        message = decode_daemon(frame).message
    except WireError as fault:
        log.debug("what is said is not understood", extra={"fault": str(fault)})
        return None
    return message if isinstance(message, Progress | StreamChunk) else None


@structs.define(eq=False)
class StoredOutcomes:
    """To a call it RunsElsewhere, whichever it is. `look` has the store asked soon."""

    look: Callable[[], None] = lambda: None
    elapsed_s: float = 0.0
    _waiting: dict[_Waiting, None] = attrs.field(factory=dict[_Waiting, None])

    def names(self) -> list[CallName]:
        """Of the calls that are waited for."""
        return [name for one in self._waiting if (name := one.name()) is not None]

    def hear(self, name: CallName, frame: str | None) -> None:
        for one in self._waiting:
            if one.name() == name:
                one.frame = frame
                one.come.set()

    def repeat(self, said: Iterable[Said]) -> None:
        """Clients hear what their calls say; nothing of it counts."""
        waiting = {one.name(): one.call for one in self._waiting}
        for one in said:
            call, message = waiting.get(one.name), _droppable(one.frame)
            if call is not None and message is not None:
                call.repeat(message)

    async def frame(
        self, name: Callable[[], CallName | None], call: Call | None = None
    ) -> str | None:
        """The outcome of the call that is called so by then, once there is one; None if it is not kept any more. Cancelling leaves nothing
        behind."""
        waiting = _Waiting(name, call)
        self._waiting[waiting] = None
        try:
            self.look()  # it may be there
            await waiting.come.wait()
        finally:
            del self._waiting[waiting]
        return waiting.frame

    async def outcome(self, call: Call) -> Outcome:
        """What becomes of a call of ours wherever it runs; its runs are counted there. Raises CallInterrupted if it is not kept any more.
        Cancelling leaves it running there: if it ended, the outcome that it has here ends it there."""
        runs, call.attempt = call.attempt, 0
        frame = await self.frame(lambda: name_of(call), call)
        if frame is None:
            raise broken_off(max(1, runs))
        return outcome_in(frame)
