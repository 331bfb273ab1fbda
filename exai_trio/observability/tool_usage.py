"""What became of each tool: how often it is used, how it fares, and a verdict where there are calls enough for one. Pure."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import groupby
from math import ceil
from typing import Final

import attrs

from exai_trio import structs

from .events import CallEnded

DAY_S: Final = 86_400.0
LEAST_CALLS: Final = 200
LEAST_DAYS: Final = 14
# A tool is dying if the newer half of the time has less than this share of the calls of the older half.
_DYING: Final = 0.25
_LEAST_TO_DIE: Final = 8  # calls in the older half: with fewer, none in the newer one may be chance
_FAILING: Final = 0.2
_LEAST_TO_FAIL: Final = 5  # failures
_PERCENT: Final = 0.95
# Whoever asks wrongly, or changes his mind, says nothing of the tool.
NOT_THE_TOOLS: Final = frozenset({"client", "validation", "authentication"})


class Verdict(StrEnum):
    """What the calls say of a tool."""

    DEAD = "dead"
    DYING = "dying"
    FAILING = "failing"
    HEALTHY = "healthy"
    TOO_LITTLE = "too little data"


@structs.frozen(kw_only=True)
class ToolUsage:
    """`last_used` is unix seconds; `cost` is by currency, of the calls whose price is known; `unpriced` are the others that asked a
    model."""

    tool: str
    calls: int = 0
    sessions: int = 0
    last_used: float | None = None
    failures: int = 0
    p95_ms: float | None = None
    cost: dict[str, float] = attrs.field(factory=dict[str, float])
    unpriced: int = 0
    verdict: Verdict = Verdict.TOO_LITTLE


def usage_of_tools(
    calls: Sequence[CallEnded], names: Iterable[str], now: float, days: float
) -> tuple[ToolUsage, ...]:
    """Of each of these tools and each other that was called, the one that is called most first; over the last `days`."""
    begin = now - days * DAY_S
    young = sorted((call for call in calls if call.started_at >= begin), key=lambda call: call.tool)
    enough = len(young) >= LEAST_CALLS and _span(young, now) >= LEAST_DAYS * DAY_S
    its = {tool: list(group) for tool, group in groupby(young, key=lambda call: call.tool)}
    tools = dict.fromkeys([*names, *its])
    found = [_usage(tool, its.get(tool, []), begin, now, enough=enough) for tool in tools]
    return tuple(sorted(found, key=lambda usage: -usage.calls))


def _span(calls: Sequence[CallEnded], now: float) -> float:
    """How long ago the first one was."""
    return now - min(call.started_at for call in calls)


def _usage(
    tool: str, calls: list[CallEnded], begin: float, now: float, *, enough: bool
) -> ToolUsage:
    if not calls:
        return ToolUsage(tool=tool, verdict=Verdict.DEAD if enough else Verdict.TOO_LITTLE)
    return ToolUsage(
        tool=tool,
        calls=len(calls),
        sessions=len({call.session for call in calls}),
        last_used=max(call.started_at for call in calls),
        failures=sum(map(has_failed, calls)),
        p95_ms=percentile([call.duration_ms for call in calls], _PERCENT),
        cost=cost_of(calls),
        unpriced=sum(call.model != "" and call.cost is None for call in calls),
        verdict=_verdict(calls, begin, now) if enough else Verdict.TOO_LITTLE,
    )


def cost_of(calls: Iterable[CallEnded]) -> dict[str, float]:
    """By currency, of those whose price is known."""
    found: dict[str, float] = {}
    for call in calls:
        if call.cost is not None:
            found[call.currency] = found.get(call.currency, 0.0) + call.cost
    return found


def has_failed(call: CallEnded) -> bool:
    """It is a failure of the tool, or of what the tool stands on."""
    return call.code != "" and call.category not in NOT_THE_TOOLS


def _verdict(calls: list[CallEnded], begin: float, now: float) -> Verdict:
    failures = sum(map(has_failed, calls))
    if failures >= max(_LEAST_TO_FAIL, _FAILING * len(calls)):
        return Verdict.FAILING
    newer = sum(call.started_at >= (begin + now) / 2 for call in calls)
    older = len(calls) - newer
    if older >= _LEAST_TO_DIE and newer < _DYING * older:
        return Verdict.DYING
    return Verdict.HEALTHY


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * share) - 1)]
