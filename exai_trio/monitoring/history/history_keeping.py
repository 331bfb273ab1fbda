"""Keeps the history: each second what the meters have said since the step began, and what was used."""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.observability.meters.readings import Snapshot
from exai_trio.storage.watching.metric_history import STEPS_KEPT, MetricHistory, Used

from .usage_counts import UsageCounts

_STEP_S: Final = min(STEPS_KEPT)
_MINUTE_S: Final = 60.0


@structs.define(eq=False)
class HistoryKeeping:
    """A disk that refuses costs history: what the meters say meanwhile is not kept for later, its time is a gap. `now` gives unix seconds,
    `boot` tells this daemon from others."""

    store: MetricHistory
    meters: Meters
    usage: UsageCounts
    boot: str
    now: Callable[[], float]
    is_clock_trusted: Callable[[], bool]
    _before: Snapshot = attrs.field(factory=Snapshot)  # at the end of the last step
    _seen: Snapshot = attrs.field(factory=Snapshot)
    _step: float = -1.0
    _number: int | None = None
    _folded: float = -1.0

    async def keep_history(self) -> None:
        """Raises StorageError; what was used waits for the next time then. Cancelled, the same holds, but for what was being written."""
        is_news = await self._keep_usage()
        now = self.now()
        step = now // _STEP_S * _STEP_S
        is_new = step != self._step or self._number is None
        if not (is_news or is_new):
            return
        if step != self._step:
            self._step, self._number, self._before = step, None, self._seen
        self._seen = self.meters.snapshot()
        await self._keep_step(self._seen.since(self._before))
        if is_new:
            await self._fold(now)

    async def _keep_step(self, said: Snapshot) -> None:
        if self._number is None:
            self._number = await self.store.begin_step(self._step, self.boot, said)
        else:
            await self.store.go_on(self._number, said)

    async def _fold(self, now: float) -> None:
        if now // _MINUTE_S != self._folded:
            await self.store.fold(now)
            self._folded = now // _MINUTE_S

    async def _keep_usage(self) -> bool:
        """Whether there was any."""
        await trio.lowlevel.checkpoint_if_cancelled()  # what is taken from here on is written
        rows = self.usage.take()
        if not rows:
            return False
        try:
            await self.store.add_usage(rows)
        except StorageError:
            self.usage.give_back(rows)
            raise
        return True

    async def used_since(self, at: float) -> tuple[Used, ...]:
        """Of the hours that end after that time, what waits here included. Raises StorageError; cancelled, what waits is written or waits on."""
        await self._keep_usage()
        return await self.store.usage(at)

    async def sweep_history(self) -> None:
        """By a clock that may be wrong nothing is old. Raises StorageError; cancelled, it is done or not."""
        if self.is_clock_trusted():
            await self.store.fold(self.now())
            await self.store.sweep(self.now())
