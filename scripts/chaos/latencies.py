"""Latencies of a run of any length in bounded memory: how many fell into each bucket, in all and by time. Pure.

Buckets are 2 % wide, so a percentile is right to 2 %.
"""

import math
from collections import Counter
from typing import Final

import attrs

_WIDTH: Final = math.log(1.02)
_LEAST_S: Final = 1e-4
SLOTS: Final = 120


@attrs.define
class Latencies:
    """`seconds` is how long the run is expected to be; what comes later belongs to its last slot."""

    seconds: float
    count: int = 0
    most: float = 0.0
    _all: Counter[int] = attrs.field(factory=Counter[int])
    _slots: list[Counter[int]] = attrs.field(factory=lambda: [Counter[int]() for _ in range(SLOTS)])

    def add(self, at: float, took: float) -> None:
        """An answer at this time since the beginning that took so long; both in seconds."""
        bucket = max(0, round(math.log(max(took, _LEAST_S) / _LEAST_S) / _WIDTH))
        self.count += 1
        self.most = max(self.most, took)
        self._all[bucket] += 1
        self._slots[min(SLOTS - 1, int(at / self.seconds * SLOTS))][bucket] += 1

    def percentile(self, share: float) -> float:
        """In seconds; 0 if there was no answer."""
        return self.most if share == 1 else _percentile(self._all, share)

    def settled(self, share: float) -> float:
        """The percentile without the first quarter of the run, in which all connect."""
        return _percentile(sum(self._slots[SLOTS // 4 :], Counter[int]()), share)

    def course(self, share: float) -> list[tuple[float, float]]:
        """The percentile over time, with a point where there were answers."""
        width = self.seconds / SLOTS
        return [
            ((number + 0.5) * width, _percentile(slot, share))
            for number, slot in enumerate(self._slots)
            if slot
        ]


def _percentile(buckets: Counter[int], share: float) -> float:
    wanted = share * buckets.total()
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= wanted:
            return _LEAST_S * math.exp(bucket * _WIDTH)
    return 0.0
