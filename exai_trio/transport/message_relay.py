"""The way of received messages from the reader of a connection to whoever wants them: through a queue, or handed on directly."""

from collections.abc import Awaitable, Callable
from typing import Self

import trio

Message = str | bytes
Take = Callable[[Message], Awaitable[None]]


class Messages:
    """Stands where the library has the sending half of its queue, and is entered and closed as that is."""

    def __init__(
        self,
        queue: trio.MemorySendChannel[Message],
        waiting: trio.MemoryReceiveChannel[Message],
    ) -> None:
        self._queue = queue
        self._waiting = waiting
        self._take: Take | None = None
        self._over = trio.Event()
        self._fault: Exception | None = None

    async def send(self, message: Message) -> None:
        """Called by the reader. Waits while the queue is full, or as long as `take` does."""
        if self._take is None:
            await self._queue.send(message)
            return
        try:
            await self._take(message)
        except Exception as fault:  # noqa: BLE001 - raised again by `relay`, in the task it belongs to
            self._take, self._fault = None, fault
            self._over.set()

    async def relay(self, take: Take) -> None:
        """Hand on what waits, then each message as it comes. Returns when the reader has ended; raises what `take` raised."""
        try:
            while self._waiting.statistics().current_buffer_used:
                await take(self._waiting.receive_nowait())
            self._take = take
            await self._over.wait()
        finally:
            self._take = None
        if self._fault is not None:
            raise self._fault

    async def aclose(self) -> None:
        """The reader has ended, or the peer has said goodbye."""
        self._over.set()
        await self._queue.aclose()

    async def __aenter__(self) -> Self:  # noqa: ASYNC124 - the library enters it so
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self.aclose()
