"""Instruments: counters, gauges that are read when asked, histograms of fixed bounds. Pure.

Label values come from closed sets; whatever is not in them is counted as `other`, and so is a series for which there is no more room.
"""

import logging
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Callable, Container, Mapping
from typing import Any, Final

import attrs

from exai_trio import structs

from .families import BOUNDS, OTHER, Family
from .readings import Distribution, Reading, Value

log = logging.getLogger("exai.meters")

Labels = tuple[str, ...]
Read = Callable[[], float | Mapping[Labels, float] | None]
"""A figure that is read when it is asked for: None if it cannot be told; by labels, where it has any."""


@structs.frozen
class Anything:
    """Of a label that has few values by itself."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str)


ANYTHING: Final = Anything()


@structs.define(eq=False)
class Room:
    """How many lines there may yet be, over all instruments."""

    left: int

    def take(self, samples: int) -> bool:
        fits = samples <= self.left
        self.left -= samples if fits else 0
        return fits


@structs.define(eq=False)
class Instrument:
    """What all have: its family, the closed set of each label, and the room that it shares with all others. The series of nothing but
    `other` has its room from the beginning."""

    family: Family
    sets: tuple[Container[str], ...]
    room: Room
    series: dict[Labels, Any] = attrs.field(factory=dict[Labels, Any])

    def reading(self) -> Reading:
        """What it says now: a copy."""
        raise NotImplementedError

    def known(self, labels: Labels) -> Labels:
        """The labels under which these are counted."""
        others = (OTHER,) * len(self.sets)
        kept = tuple(
            value if value in allowed else OTHER
            for value, allowed in zip(labels, self.sets, strict=True)
        )
        if kept in self.series or kept == others or self.room.take(self.family.samples):
            return kept
        return others


@structs.define(eq=False)
class Counter(Instrument):
    """Only rises."""

    def __attrs_post_init__(self) -> None:
        if not self.sets:
            self.series[()] = 0

    def add(self, *labels: str, amount: float = 1) -> None:
        if labels not in self.series:
            labels = self.known(labels)
            self.series.setdefault(labels, 0)
        self.series[labels] += amount

    def reading(self) -> Reading:
        return Reading(self.family, dict(self.series))


@structs.define(eq=False)
class Buckets:
    """Of one series: how many values were at most each bound and over the one before; the last has none."""

    counts: list[int] = attrs.field(factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0

    def note(self, value: float) -> None:
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.sum += value


@structs.define(eq=False)
class Histogram(Instrument):
    """How values, in seconds, spread over the bounds."""

    def observe(self, value: float, *labels: str) -> None:
        found = self.series.get(labels)
        if found is None:
            found = self.series.setdefault(self.known(labels), Buckets())
        found.note(value)

    def buckets(self, *labels: str) -> Buckets:
        """One series, for who counts in it by itself."""
        found: Buckets = self.series.setdefault(self.known(labels), Buckets())
        return found

    def reading(self) -> Reading:
        return Reading(
            self.family,
            {key: Distribution(tuple(of.counts), of.sum) for key, of in self.series.items()},
        )


@structs.define(eq=False)
class Asked(Instrument):
    """What somebody else knows, and is asked for; while nobody does there is nothing to read. A source that raises has nothing to tell, and
    is logged once until it has."""

    sources: list[Read] = attrs.field(factory=list[Read])
    _failures: Counts[int] = attrs.field(factory=Counts[int])

    def reading(self) -> Reading:
        values: dict[Labels, Value] = {}
        for place, source in enumerate(self.sources):
            told = self._told(place, source)
            for labels, value in told.items() if isinstance(told, Mapping) else [((), told)]:
                key = labels if labels in self.series else self._place(labels)
                before = values.get(key)
                values[key] = (
                    value if not isinstance(before, float | int) else before + (value or 0)
                )
        return Reading(self.family, values)

    def _told(self, place: int, source: Read) -> float | Mapping[Labels, float] | None:
        try:
            told = source()
        except Exception:
            self._failures[place] += 1  # first: whoever hears of the fault may read the figures
            if self._failures[place] == 1:
                log.exception("a figure cannot be read", extra={"what": self.family.name})
            return {}
        self._failures.pop(place, None)
        return told

    def _place(self, labels: Labels) -> Labels:
        key = self.known(labels)
        self.series[key] = None
        return key
