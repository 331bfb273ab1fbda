"""The ended calls on their way to the store: they wait in memory, are written together, and go when they are old."""

import logging
from collections.abc import Mapping
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.monitoring.history.history_keeping import HistoryKeeping
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.events import CallEnded
from exai_trio.storage.ended_calls import KEPT_S, EndedCalls

from ..context import Clock

log = logging.getLogger("exai.jobs")

_MOST_WAITING: Final = 20_000  # of about 1 KB: 20 MB where the disk refuses
_AT_ONCE: Final = 2_000  # rows of one write: about 20 ms of the writer's thread


@structs.define(eq=False)
class CallKeeping:
    """`note` is called on a call's way to its end, and costs it next to nothing. What does not fit is dropped and counted.
    `history` is kept beside it."""

    store: EndedCalls
    clock: Clock
    history: HistoryKeeping
    dropped: int = 0
    _told: int = 0
    waiting: list[CallEnded] = attrs.field(factory=list[CallEnded])

    def takes(self) -> Takes:
        """What becomes of events here."""
        return {CallEnded: self.note}

    def dropped_by_sink(self) -> Mapping[tuple[str, ...], float]:
        return {("calls table",): self.dropped}

    def note(self, call: CallEnded) -> None:
        if len(self.waiting) < _MOST_WAITING:
            self.waiting.append(call)
        else:
            self.dropped += 1

    async def flush_calls(self) -> None:
        """Write what waits now: what comes meanwhile would be a write of few rows, again and again. Raises StorageError, and keeps what is
        not written. Cancelling may lose what is being written."""
        for _ in range(0, len(self.waiting), _AT_ONCE):
            await trio.lowlevel.checkpoint_if_cancelled()  # what is taken from here on is written
            calls, self.waiting = self.waiting[:_AT_ONCE], self.waiting[_AT_ONCE:]
            try:
                await self.store.add(calls)
            except StorageError:
                self.waiting = calls + self.waiting
                raise

    async def tokens_since(self, at: float) -> dict[str, int]:
        """Tokens by principal of calls accepted since then, those that still wait here included. Raises StorageError. Cancelling may lose
        what is being written."""
        await self.flush_calls()
        return await self.store.tokens_since(at)

    async def sweep_calls(self) -> None:
        """By a clock that may be wrong nothing is old. Raises StorageError; cancelled, it is done or not."""
        before = self.clock.now() - KEPT_S if self.clock.is_trusted() else None
        gone = await self.store.sweep(before)
        if gone:
            log.info("old calls are forgotten", extra={"calls": gone})
        if self.dropped > self._told:
            log.warning("calls were not kept", extra={"calls": self.dropped - self._told})
            self._told = self.dropped
