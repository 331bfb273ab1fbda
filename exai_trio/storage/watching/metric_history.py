"""The history of the meters and of usage: steps of figures, and what was used in each hour. No SQL here."""

from collections.abc import Sequence
from typing import Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.observability.meters.readings import Snapshot

_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3600
# Seconds that a step lasts, and for how many it is kept: the finer, the shorter.
STEPS_KEPT: Final = {10: 6 * 3600.0, 60: 14 * _DAY_S, 3600: 400 * _DAY_S}
USAGE_KEPT_S: Final = 400 * _DAY_S
MOST_POINTS: Final = 400  # of a chart


@structs.frozen(kw_only=True)
class Used:
    """What was used in one hour, whose beginning is unix seconds, of one model by one tool for somebody. Tokens and cost are None where
    none were counted; `unpriced` are requests whose price is not known."""

    hour: int
    principal: str
    project: str
    tool: str
    model: str
    currency: str
    calls: int = 0
    failures: int = 0
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    unpriced: int = 0


@structs.frozen
class Point:
    """What the meters said of a time that begins `at`, in unix seconds, and lasts `seconds`: counters and histograms as they rose in it.
    Times without a daemon have no point."""

    at: float
    seconds: float
    said: Snapshot


class MetricHistory(Protocol):
    """Raises StorageError when the store cannot be read or written; cancelling leaves a write done or not done, never half."""

    async def begin_step(self, at: float, boot: str, said: Snapshot) -> int:
        """Keep a finest step that is not over yet; its number."""
        ...

    async def go_on(self, number: int, said: Snapshot) -> None:
        """What that step says by now."""
        ...

    async def fold(self, now: float) -> None:
        """Make the longer steps that are over by `now` out of shorter ones."""
        ...

    async def points(
        self, since: float, until: float, names: Sequence[str] = (), most: int = MOST_POINTS
    ) -> tuple[Point, ...]:
        """At most so many, in order, of the finest steps that are kept for so long; of these families, or all."""
        ...

    async def add_usage(self, rows: Sequence[Used]) -> None:
        """What was used besides what is kept of these hours, in one transaction."""
        ...

    async def usage(self, since: float) -> tuple[Used, ...]:
        """Of the hours that end after that time."""
        ...

    async def sweep(self, now: float) -> int:
        """Delete what is kept no longer; how many rows went."""
        ...


@structs.define
class ForgottenHistory:
    """What was used, which ends with the process; steps of figures are not kept at all."""

    _used: list[Used] = attrs.field(factory=list[Used])

    async def begin_step(self, at: float, boot: str, said: Snapshot) -> int:
        del at, boot, said
        await trio.lowlevel.checkpoint()
        return 0

    async def go_on(self, number: int, said: Snapshot) -> None:
        del number, said
        await trio.lowlevel.checkpoint()

    async def fold(self, now: float) -> None:
        del now
        await trio.lowlevel.checkpoint()

    async def points(
        self, since: float, until: float, names: Sequence[str] = (), most: int = MOST_POINTS
    ) -> tuple[Point, ...]:
        del since, until, names, most
        await trio.lowlevel.checkpoint()
        return ()

    async def add_usage(self, rows: Sequence[Used]) -> None:
        await trio.lowlevel.checkpoint()
        self._used += rows

    async def usage(self, since: float) -> tuple[Used, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(row for row in self._used if row.hour > since - _HOUR_S)

    async def sweep(self, now: float) -> int:
        del now
        await trio.lowlevel.checkpoint()
        return 0
