"""Ratios of medians, with a bootstrap interval: pairs are drawn together, since they were measured one after the other. Pure."""

import math
import random
from statistics import median

import attrs

_DRAWS = 2000
SURE = 0.99  # of one tool's interval
# An alarm needs more: of 36 tools one or another would differ from itself by chance in each third comparison.
_CHANCE = 0.0005
LEAST = 0.05  # a smaller difference is nobody's business


@attrs.frozen
class Ratio:
    """Of B to A; the interval holds the truth with the confidence that was asked for. `chance` is how likely pairs that differ like
    these are where nothing differs."""

    value: float
    low: float
    high: float
    pairs: int
    chance: float = 1.0

    @property
    def verdict(self):
        """Nothing is said that the interval, and the pairs one by one, do not say."""
        if self.chance < _CHANCE and self.low > 1 and self.value > 1 + LEAST:
            return "slower"
        if self.chance < _CHANCE and self.high < 1 and self.value < 1 - LEAST:
            return "faster"
        return "the same, as far as can be told"

    @property
    def excludes_one(self):
        return self.low > 1 or self.high < 1


def ratio_of(a, b, *, confidence=SURE, seed=0, of=median):
    """Of two series of the same length, value by value measured by turns. None for fewer than two, or where nothing was measured."""
    pairs = [
        (one, other)
        for one, other in zip(a, b, strict=True)
        if one is not None and other is not None
    ]
    if len(pairs) < 2:
        return None
    found = interval(pairs, lambda drawn: _ratio(drawn, of), confidence=confidence, seed=seed)
    return found and attrs.evolve(
        found, chance=signed_rank([math.log(other / one) for one, other in pairs if one and other])
    )


def interval(items, statistic, *, confidence, seed=0):
    """The statistic of all, and its percentile interval over draws with replacement; None where it cannot be reckoned."""
    value = statistic(items)
    if value is None:
        return None
    dice = random.Random(seed)  # noqa: S311 - the same data give the same interval
    drawn = sorted(
        found
        for _ in range(_DRAWS)
        if (found := statistic(dice.choices(items, k=len(items)))) is not None
    )
    tail = (1 - confidence) / 2
    low, high = (
        drawn[int(tail * len(drawn))],
        drawn[min(len(drawn) - 1, int((1 - tail) * len(drawn)))],
    )
    return Ratio(value, low, high, len(items))


def _ratio(pairs, of):
    below = of([one for one, _ in pairs])
    return of([other for _, other in pairs]) / below if below else None


def signed_rank(differences):
    """Wilcoxon's test of pairs, two-sided, by its normal approximation: how likely such differences are by chance."""
    found = sorted((abs(each), each > 0) for each in differences if each)
    count = len(found)
    if not count:
        return 1.0
    ranks = sum(rank for rank, (_, above) in enumerate(found, 1) if above)
    mean, spread = count * (count + 1) / 4, math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    return math.erfc(max(0.0, abs(ranks - mean) - 0.5) / spread / math.sqrt(2))
