"""Readings: what the meters said at one moment, to be looked at and subtracted. Pure."""

from collections.abc import Mapping
from typing import Final

import attrs

from exai_trio import structs

from .families import BOUNDS, Family

_NOTHING: Final = (0,) * (len(BOUNDS) + 1)


@structs.frozen
class Distribution:
    """Values by bucket: `counts` has as many as were at most each of BOUNDS and over the one before, and those over the last."""

    counts: tuple[int, ...] = _NOTHING
    sum: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def percentile(self, share: float) -> float | None:
        """About: within the bucket in which it is the values are taken as evenly spread; beyond the last bound it is that bound. None of
        nothing."""
        wanted = share * self.count
        if not wanted:
            return None
        low = 0.0
        for high, count in zip(BOUNDS, self.counts, strict=False):
            if wanted <= count:
                return low + (high - low) * wanted / count
            wanted, low = wanted - count, high
        return BOUNDS[-1]

    def plus(self, other: "Distribution", sign: int = 1) -> "Distribution":
        counts = tuple(a + sign * b for a, b in zip(self.counts, other.counts, strict=True))
        return Distribution(counts, self.sum + sign * other.sum)


Value = float | Distribution | None
"""None is what could not be told."""


@structs.frozen
class Reading:
    """One family's values by labels, which are in the family's order."""

    family: Family
    values: Mapping[tuple[str, ...], Value]

    def matching(self, **labels: str) -> list[Value]:
        """Those with these labels."""
        wanted = [(self.family.labels.index(name), value) for name, value in labels.items()]
        return [
            value
            for key, value in self.values.items()
            if all(key[place] == text for place, text in wanted)
        ]


@structs.frozen
class Snapshot:
    """All families at one moment, by their names without `exai_`."""

    readings: Mapping[str, Reading] = attrs.field(factory=dict[str, Reading])

    def total(self, name: str, **labels: str) -> float | None:
        """The sum of the series with these labels; of a histogram how many values it has. None if nobody measures it; of a counter that
        nobody has raised yet, 0."""
        reading = self.readings.get(name)
        if reading is None:
            return None
        found = [value for value in reading.matching(**labels) if value is not None]
        if not found:
            return None if reading.family.kind == "gauge" else 0
        return sum(map(_number, found))

    def distribution(self, name: str, **labels: str) -> Distribution:
        """The values of a histogram's series with these labels, together."""
        together = Distribution()
        reading = self.readings.get(name)
        for one in reading.matching(**labels) if reading else ():
            if isinstance(one, Distribution):
                together = together.plus(one)
        return together

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sums by one label; of a histogram how many values."""
        reading = self.readings.get(name)
        if reading is None:
            return {}
        place = reading.family.labels.index(label)
        sums: dict[str, float] = {}
        for key, value in reading.values.items():
            sums[key[place]] = sums.get(key[place], 0) + _number(value)
        return sums

    def since(self, before: "Snapshot") -> "Snapshot":
        """What was added to counters and histograms since; gauges are as they are now."""
        return Snapshot({name: _minus(now, before) for name, now in self.readings.items()})


def _number(value: Value) -> float:
    return value.count if isinstance(value, Distribution) else value or 0


def _minus(now: Reading, before: Snapshot) -> Reading:
    then = before.readings.get(now.family.name)
    if then is None or now.family.kind == "gauge":
        return now
    return Reading(
        now.family, {key: _less(value, then.values.get(key)) for key, value in now.values.items()}
    )


def _less(now: Value, then: Value) -> Value:
    if isinstance(now, Distribution):
        return now.plus(then, -1) if isinstance(then, Distribution) else now
    return now if now is None or not isinstance(then, float | int) else now - then
