"""The one job that sends an outbox: in order for each key, again until it has arrived, with what the database refuses set apart. No HTTP, no SQL."""

import logging
from collections.abc import Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.resilience.backoff import Backoff
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway, HostedFault, TooLarge
from exai_trio.storage.hosted.outbox_entries import (
    BATCH_LENGTH,
    Applied,
    Entry,
    Outbox,
    sorted_by_key,
)

log = logging.getLogger("exai.storage")

SEND_S: Final = 5.0
MENDED_S: Final = 60.0  # how often it is looked whether somebody has mended a key or a schema
FAREWELL_S: Final = 2.0
_IDLE_S: Final = 30.0  # another process may have added to the outbox
_AGAIN: Final = Backoff(first_s=0.25, longest_s=30.0)


@structs.define(eq=False)
class OutboxSender:
    """`trouble` is a fault that somebody must mend; None while there is none. `random` is in [0, 1)."""

    outbox: Outbox
    remote: GuardedRemote
    random: Callable[[], float]
    trouble: HostedFault | None = None
    sent: int = 0
    backoff: Backoff = _AGAIN
    _failures: int = 0
    _most: int = BATCH_LENGTH
    _woken: trio.Event = attrs.field(factory=trio.Event)
    _stepped: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self.outbox.watch(self.wake)

    async def run(self) -> None:
        """Send for ever. Cancelling leaves what has not arrived, or is not known to have, in the outbox."""
        while True:
            self._woken = trio.Event()  # before looking: what is added from now on is seen
            pause_s = await self._tried()
            stepped, self._stepped = self._stepped, trio.Event()
            stepped.set()
            with trio.move_on_after(pause_s):
                await self._woken.wait()

    async def wait_sent(self) -> None:
        """Until all that can be sent now is, for FAREWELL_S at most; at once while nothing can. Raises StorageError if the outbox itself
        fails. Cancelling leaves the job as it is."""
        with trio.move_on_after(FAREWELL_S):
            await trio.lowlevel.checkpoint()
            while not self.is_held_up:
                stepped = self._stepped  # before looking: a step that ends meanwhile is seen
                if not await self.outbox.batch(1):
                    return
                await stepped.wait()

    @property
    def is_held_up(self) -> bool:
        """The last batch did not arrive."""
        return bool(self._failures or self.trouble)

    def wake(self) -> None:
        """Something was added. That makes nobody well who was not."""
        if not self.is_held_up:
            self._woken.set()

    def try_now(self) -> None:
        """Somebody may have mended what was wrong."""
        self._failures, self.trouble = 0, None
        self._woken.set()

    async def _tried(self) -> float:
        """A step; seconds until the next. An outbox that fails is what a batch that does not arrive is."""
        try:
            return await self._step()
        except StorageError as fault:
            log.error("the outbox cannot be used", extra={"fault": fault.message})
            self._failures += 1
            return self.backoff.delay_s(self._failures, None, self.random())

    async def _step(self) -> float:
        """Send one batch; seconds until the next is to be tried. Raises StorageError if the outbox itself fails."""
        batch = sorted_by_key(await self.outbox.batch(self._most))
        if not batch:
            self._failures = 0
            return _IDLE_S
        try:
            applied = await self.remote.ask(
                lambda remote: remote.apply(batch), within_s=SEND_S, insist=True
            )
        except TooLarge as fault:
            return await self._halve(batch, fault)
        except HostedFault as fault:
            return await self._note(batch, fault)
        await self._arrived(batch, applied)
        return 0.0

    async def _arrived(self, batch: tuple[Entry, ...], applied: tuple[Applied, ...]) -> None:
        await self.outbox.settle(batch, applied)
        if self.trouble:
            log.info("the outbox is sent again")
        self._failures, self.trouble, self._most = 0, None, BATCH_LENGTH
        refused = [one for one in applied if one.code]
        self.sent += len(applied) - len(refused)
        for one in refused:
            log.error("entry refused", extra={"entry": one.id, "reason": one.code})

    async def _halve(self, batch: tuple[Entry, ...], fault: HostedFault) -> float:
        """A batch that is too large is sent in two; an entry that is so alone is set apart."""
        if len(batch) > 1:
            self._most = len(batch) // 2
        else:
            alone = tuple(Applied(id=entry.id, code=fault.reason) for entry in batch)
            await self._arrived(batch, alone)
        return 0.0

    async def _note(self, batch: tuple[Entry, ...], fault: HostedFault) -> float:
        await self.outbox.note_attempt(batch)
        self._woken = trio.Event()  # what was added while this was tried makes nobody well
        if not isinstance(fault, HostedAway):
            if self.trouble is None:
                log.error("the outbox is not sent", extra={"reason": fault.reason})
            self.trouble = fault
            return MENDED_S
        self._failures += 1
        return self.backoff.delay_s(self._failures, fault.retry_after_s, self.random())
