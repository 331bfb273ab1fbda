"""The queue of received messages that nobody has taken yet."""

import attrs
import trio

from exai_trio import structs
from exai_trio.system.change import Change

from .message_assembly import Message


@structs.define(eq=False, repr=False, weakref_slot=False)  # small: one for each connection
class Inbox:
    """At most `room` messages wait. One task puts in, one takes out."""

    _room: int
    is_over: bool = False
    _waiting: list[Message] = attrs.field(factory=list[Message])
    _change: Change = attrs.field(factory=Change)

    async def put(self, message: Message) -> None:
        """Put it in, and return when there is room for another. Cancelling leaves it in."""
        if self.is_over:
            return
        self._waiting.append(message)
        self._change.tell()
        while len(self._waiting) >= self._room:
            await self._change.wait()

    async def get(self) -> Message | None:
        """The next message, or None if none will come. Cancelling loses none."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._waiting and not self.is_over:
            await self._change.wait()
        return self.get_nowait()

    def get_nowait(self) -> Message | None:
        """The next message, or None if none is there."""
        if not self._waiting:
            return None
        message = self._waiting.pop(0)
        self._change.tell()
        return message

    def end(self) -> None:
        """None will come; what waits can still be taken."""
        self.is_over = True
        self._change.tell()

    def discard(self) -> None:
        """Nobody will take what waits, nor what comes."""
        self._waiting.clear()
        self.end()

    def __repr__(self) -> str:
        return f"<Inbox {'over' if self.is_over else 'open'} waiting={len(self._waiting)}>"
