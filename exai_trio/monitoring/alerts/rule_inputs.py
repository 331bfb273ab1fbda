"""What the rules of alerts look at: the figures of one moment, and those of the last minutes. Pure: no trio, no clock, no I/O."""

from collections import deque
from collections.abc import Mapping
from typing import Final

import attrs

from exai_trio import structs

EVERY_S: Final = 5.0
_KEPT: Final = 121  # ten minutes of them
_MINUTES: Final = 60
_MINUTE_S: Final = 60.0
_FEWEST_MINUTES: Final = 10


@structs.frozen(kw_only=True)
class RuleInputs:
    """`at` is seconds of a clock that never jumps. Counters are totals since the start of the process; None is what was not measured.

    `failures` leaves out what clients did wrong and what they cancelled. `connects` counts those of the last minute by client. `durations` are the ended calls of a tool
    by the bounds of a histogram, the last for what was longer than all; `usual_p95_s` is of its last seven days.
    `budget_share` is how much of it is spent. `terminal_attaches` are those of the last minute by client, `terminal_creations` those of the
    last hour. `troubles` are what is wrong around the daemon, by name.
    """

    at: float
    uptime_s: float
    calls: int = 0
    failures: int = 0
    connects: Mapping[str, int] = attrs.field(factory=dict[str, int])
    connections: int = 0
    most_connections: int = 0
    store_faults: frozenset[str] = frozenset()
    disk_free: int | None = None
    disk_size: int | None = None
    breakers_open: frozenset[str] = frozenset()
    keys_refused: frozenset[str] = frozenset()
    bounds_s: tuple[float, ...] = ()
    durations: Mapping[str, tuple[int, ...]] = attrs.field(factory=dict[str, tuple[int, ...]])
    usual_p95_s: Mapping[str, float] = attrs.field(factory=dict[str, float])
    resident_bytes: int | None = None
    permits_waiting: int = 0
    long_steps: int = 0
    jobs_given_up: frozenset[str] = frozenset()
    budget_share: float | None = None
    auth_refused: int = 0
    fresh_incidents: int = 0
    terminal_attaches: Mapping[str, int] = attrs.field(factory=dict[str, int])
    terminal_creations: int = 0
    terminal_creations_failed: int = 0
    terminal_connections: int = 0
    troubles: frozenset[str] = frozenset()


@structs.define(eq=False)
class Window:
    """The figures of the last ten minutes, and the least memory of each of the last sixty."""

    kept: deque[RuleInputs] = attrs.field(factory=lambda: deque[RuleInputs](maxlen=_KEPT))
    minima: deque[int] = attrs.field(factory=lambda: deque[int](maxlen=_MINUTES))
    growth_per_h: float = 0.0
    _minute: int = -1
    _least: int | None = None

    def add(self, figures: RuleInputs) -> None:
        self.kept.append(figures)
        minute = int(figures.at // _MINUTE_S)
        if minute != self._minute and self._least is not None:
            self.minima.append(self._least)
            self.growth_per_h = growth(self.minima) * _MINUTES
            self._least = None
        self._minute = minute
        if figures.resident_bytes is not None:
            known = figures.resident_bytes if self._least is None else self._least
            self._least = min(known, figures.resident_bytes)

    @property
    def now(self) -> RuleInputs:
        return self.kept[-1]

    def before(self, seconds: float) -> RuleInputs:
        """The oldest of those within so many seconds."""
        since = self.now.at - seconds
        return next(figures for figures in self.kept if figures.at >= since)

    def open_s(self, breaker: str) -> float:
        """How long it has been open without a break."""
        closed = (f.at for f in reversed(self.kept) if breaker not in f.breakers_open)
        return self.now.at - next(closed, self.kept[0].at)


def growth(minima: "deque[int]") -> float:
    """The median slope between any two of them, in bytes a minute; what falls again has not grown, so it is no more than from the least of
    one half to the least of the other."""
    if len(minima) < _FEWEST_MINUTES:
        return 0.0
    values, half = list(minima), len(minima) // 2
    slopes = sorted(
        (values[j] - values[i]) / (j - i)
        for i in range(len(values))
        for j in range(i + 1, len(values))
    )
    return min(
        slopes[len(slopes) // 2], (min(values[half:]) - min(values[:half])) / (len(values) - half)
    )


def p95(bounds: tuple[float, ...], counts: tuple[int, ...]) -> float:
    """From the buckets of a histogram: the bound below which 95 of 100 lie."""
    wanted, seen = 0.95 * sum(counts), 0
    for bound, count in zip(bounds, counts, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return 2 * bounds[-1] if bounds else 0.0
