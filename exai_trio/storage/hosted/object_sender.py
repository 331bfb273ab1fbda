"""The one job that sends contents to the buckets, which got none when they were made: one after the other, again until each has arrived.
No HTTP, no SQL."""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.resilience.backoff import Backoff
from exai_trio.storage.hosted.guarded_bucket import GuardedBucket
from exai_trio.storage.hosted.hosted_faults import HostedAway, HostedFault, TooLarge

log = logging.getLogger("exai.storage")

_IDLE_S: Final = 30.0
_TOO_LARGE_S: Final = 6 * 3600.0  # somebody may have raised the plan's limit
_AGAIN: Final = Backoff(first_s=0.25, longest_s=30.0)


@structs.frozen
class Unsent:
    """A content of so many bytes; `fault` is why it is not there."""

    bucket: str
    name: str
    size: int
    attempts: int
    fault: str


class UnsentObjects(Protocol):
    """Raises StorageError; cancelling leaves a change done or not done."""

    def watch(self, woken: Callable[[], None]) -> None: ...

    async def next_due(self, now: float) -> Unsent | None: ...

    async def sent(self, unsent: Unsent) -> None: ...

    async def put_off(self, unsent: Unsent, until: float, fault: str) -> None: ...


@structs.frozen(kw_only=True, eq=False)
class Source:
    """Where the contents of one bucket come from. `opened` gives None for one that is here no more; `arrived` tells the hosted database,
    and is false if it does not know of it yet."""

    bucket: GuardedBucket
    opened: Callable[[str], AbstractAsyncContextManager[AsyncIterable[bytes] | None]]
    arrived: Callable[[Unsent], Awaitable[bool]]


@structs.define(eq=False, kw_only=True)
class ObjectSender:
    """`now` is the wall clock, `random` in [0, 1)."""

    unsent: UnsentObjects
    sources: Mapping[str, Source]
    now: Callable[[], float]
    random: Callable[[], float]
    sent: int = 0
    _failures: int = 0
    _woken: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self.unsent.watch(self.wake)

    def wake(self) -> None:
        """Something was added. That makes nobody well who was not."""
        if not self._failures:
            self._woken.set()

    def try_now(self) -> None:
        """Somebody may have mended what was wrong."""
        self._failures = 0
        self._woken.set()

    async def run(self) -> None:
        """Send for ever. Cancelling leaves what has not arrived, or is not known to have, to be sent again."""
        while True:
            self._woken = trio.Event()  # before looking: what is added from now on is seen
            pause_s = await self._tried()
            with trio.move_on_after(pause_s):
                await self._woken.wait()

    async def _tried(self) -> float:
        """A step; seconds until the next."""
        try:
            return await self._step()
        except StorageError as fault:
            log.info("a content is not sent", extra={"fault": fault.message})
            self._failures += 1
            return _AGAIN.delay_s(self._failures, fault.retry_after_s, self.random())

    async def _step(self) -> float:
        unsent = await self.unsent.next_due(self.now())
        if unsent is None:
            self._failures = 0
            return _IDLE_S
        try:
            await self._send(unsent, self.sources[unsent.bucket])
        except TooLarge as fault:
            await self.unsent.put_off(unsent, self.now() + _TOO_LARGE_S, fault.message)
        except HostedFault as fault:
            await self.unsent.put_off(unsent, 0.0, fault.message)
            raise
        self._failures = 0
        return 0.0

    async def _send(self, unsent: Unsent, source: Source) -> None:
        async with source.opened(unsent.name) as content:
            if content is not None:
                await source.bucket.put(unsent.name, unsent.size, content)
        if content is not None and not await source.arrived(unsent):
            raise HostedAway("The row of this content is still on its way.", reason="row")
        await self.unsent.sent(unsent)
        self.sent += 1
