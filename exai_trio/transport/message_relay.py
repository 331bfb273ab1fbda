"""The way of received messages from the reader of a connection to whoever wants them: through a queue, or handed on directly."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.system.change import Change

from .message_assembly import Message

Take = Callable[[Message], Awaitable[None]]


@structs.define(
    eq=False, repr=False, weakref_slot=False
)  # one for each connection: it is to be small
class Inbox:
    """At most `room` messages wait. One task puts in, one takes out, by `get` or by `relay`."""

    _room: int
    is_over: bool = False
    _waiting: list[Message] = attrs.field(factory=list[Message])
    _take: Take | None = None
    _fault: Exception | None = None
    _change: Change = attrs.field(factory=Change)

    async def put(self, message: Message) -> None:
        """Wait while the queue is full, or as long as `take` does. Cancelling may lose the message."""
        while self._take is None and len(self._waiting) >= self._room:
            await self._change.wait()
        if self._take is not None:
            await self._hand_over(message, self._take)
        elif not self.is_over:
            self._waiting.append(message)
            self._change.tell()

    async def _hand_over(self, message: Message, take: Take) -> None:
        try:
            await take(message)
        except Exception as fault:  # noqa: BLE001 - raised again by `relay`, in the task it belongs to
            self._take, self._fault = None, fault
            self._change.tell()

    async def get(self) -> Message | None:
        """The next message, or None if none will come. Cancelling loses none."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._waiting:
            if self.is_over:
                return None
            await self._change.wait()
        message = self._waiting.pop(0)
        self._change.tell()
        return message

    async def relay(self, take: Take) -> None:
        """Hand on what waits, then each message as it comes, in the turn of the task that puts it in. Returns when none will
        come; raises what `take` raised. Cancelling loses no message that was not yet handed over.
        """
        while self._waiting:
            await take(self._waiting.pop(0))
        self._take = take
        self._change.tell()
        try:
            while self._fault is None and not self.is_over:
                await self._change.wait()
        finally:
            self._take = None
        if self._fault is not None:
            raise self._fault

    def end(self) -> None:
        """None will come; what waits can still be taken."""
        self.is_over = True
        self._change.tell()

    def discard(self) -> None:
        """Whoever gets messages has no use for more. A relay goes on until the end."""
        self._waiting.clear()
        if self._take is None:
            self.end()

    def __repr__(self) -> str:
        way = "relayed" if self._take else f"waiting={len(self._waiting)}"
        return f"<Inbox {'over' if self.is_over else 'open'} {way}>"
