"""What a contest of two has shown: figures of each, and ratios with intervals. Pure."""

import math
from collections import Counter
from statistics import fmean, median

import attrs

from .ratios import ratio_of

_CONFIDENCE = 0.95
_Z = 1.96
_LEAST_FLOW_MS = 5.0  # text that comes all at once has no speed
_MORE_IS_BETTER = frozenset({"tokens/s"})


@attrs.frozen(kw_only=True)
class Answer:
    """One answer of one side; figures are None where it was none, or where they were not measured."""

    category: str
    total: float | None
    first: float | None
    speed: float | None
    own: float | None
    cost: float | None
    input_tokens: int
    cached_tokens: int

    @classmethod
    def of(cls, run, category):
        good = run.ok
        return cls(
            category=category,
            total=run.total_ms if good else None,
            first=run.first_chunk_ms if good else None,
            speed=_speed(run) if good else None,
            own=run.own_ms if good else None,
            cost=run.cost if good else None,
            input_tokens=run.input_tokens or 0,
            cached_tokens=run.cached_tokens or 0,
        )


def _speed(run):
    """Tokens a second, once the text had begun."""
    if run.first_chunk_ms is None or not run.output_tokens:
        return None
    flow = run.total_ms - run.first_chunk_ms
    return run.output_tokens / flow * 1000 if flow > _LEAST_FLOW_MS else None


SERIES = {"total": "ms", "first": "ms", "speed": "tokens/s", "own": "ms", "model": "ms"}


@attrs.frozen(kw_only=True)
class Figures:
    """Of so many `at_once`; `pairs` of answers in the order of the sides."""

    names: tuple
    pairs: tuple
    at_once: int

    @classmethod
    def of(cls, sides, pairs, at_once):
        return cls(names=tuple(side.name for side in sides), pairs=tuple(pairs), at_once=at_once)

    def series(self, name, place):
        return [value_of(pair[place], name) for pair in self.pairs]

    def medians(self, name):
        return [_median(self.series(name, place)) for place in (0, 1)]

    def ratio(self, name):
        return ratio_of(self.series(name, 0), self.series(name, 1), confidence=_CONFIDENCE)

    def cost_ratio(self):
        return ratio_of(
            self.series("cost", 0), self.series("cost", 1), confidence=_CONFIDENCE, of=fmean
        )

    def errors(self, place):
        """How many of each category, and the interval of their share."""
        found = Counter(pair[place].category for pair in self.pairs if pair[place].category)
        return found, wilson(sum(found.values()), len(self.pairs))

    def cached(self, place):
        tokens = sum(pair[place].input_tokens for pair in self.pairs)
        return sum(pair[place].cached_tokens for pair in self.pairs) / tokens if tokens else 0.0

    def facts(self):
        sides = {
            name: {
                "medians": {series: self.medians(series)[place] for series in SERIES},
                "cost_an_answer": _mean(self.series("cost", place)),
                "errors": dict(self.errors(place)[0]),
                "error_share": self.errors(place)[1],
                "cached_share": self.cached(place),
            }
            for place, name in enumerate(self.names)
        }
        ratios = {series: _as_facts(self.ratio(series)) for series in SERIES}
        return {
            "at_once": self.at_once,
            "pairs": len(self.pairs),
            "sides": sides,
            "ratios": ratios | {"cost": _as_facts(self.cost_ratio())},
        }


def value_of(answer, name):
    """`model` is what is not ours."""
    if name == "model":
        known = answer.total is not None and answer.own is not None
        return answer.total - answer.own if known else None
    return getattr(answer, name)


def _as_facts(ratio):
    return None if ratio is None else attrs.asdict(ratio)


def _median(values):
    found = [value for value in values if value is not None]
    return median(found) if found else None


def _mean(values):
    found = [value for value in values if value is not None]
    return fmean(found) if found else None


def wilson(hits, count):
    """The 95 % interval of a share."""
    if not count:
        return (0.0, 1.0)
    share, square = hits / count, _Z**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = (
        _Z * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    )
    return (max(0.0, middle - half), min(1.0, middle + half))


def told(figures, *, simulated):
    """Lines; each says so if no model was asked."""
    mark = "simulated  " if simulated else ""
    one, other = figures.names
    yield f"{mark}{one} and {other}, {figures.at_once} at once, {len(figures.pairs)} prompts each"
    for name, unit in SERIES.items():
        yield mark + _line(figures, name, unit)
    yield mark + _cost_line(figures)
    for place, name in enumerate(figures.names):
        found, (low, high) = figures.errors(place)
        kinds = (
            ", ".join(f"{count} {category}" for category, count in found.most_common()) or "none"
        )
        yield f"{mark}{name}: errors {kinds} ({low:.1%} … {high:.1%}); {figures.cached(place):.0%} of its input was cached"


_TITLES = {
    "total": "total",
    "first": "first chunk",
    "speed": "speed",
    "own": "our overhead",
    "model": "without us",
}


def _line(figures, name, unit):
    values = [
        f"{side} {_shown(value)} {unit}"
        for side, value in zip(figures.names, figures.medians(name), strict=True)
    ]
    return f"{_TITLES[name]}: {', '.join(values)}; {_verdict(figures, figures.ratio(name), more=unit in _MORE_IS_BETTER)}"


def _cost_line(figures):
    values = [_mean(figures.series("cost", place)) for place in (0, 1)]
    shown = [f"{side} {_shown(value)}" for side, value in zip(figures.names, values, strict=True)]
    return f"cost an answer: {', '.join(shown)}; {_verdict(figures, figures.cost_ratio())}"


def _shown(value):
    return "not measured" if value is None else f"{value:.4g}"


def _verdict(figures, ratio, *, more=False):
    """A winner only where the interval leaves no doubt."""
    one, other = figures.names
    if ratio is None:
        return "nothing to compare"
    said = f"{other} is {ratio.value:.3f} × {one} ({ratio.low:.3f} … {ratio.high:.3f}, {ratio.pairs} pairs)"
    if not ratio.excludes_one:
        return f"{said}: no difference that can be told"
    return f"{said}: {other if (ratio.value > 1) == more else one} is better"
