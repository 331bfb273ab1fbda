"""What was used, added up by some of its keys. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from .metric_history import Used

_COUNTS: Final = ("calls", "failures")
_MAYBE: Final = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost")
KEYS: Final[dict[str, Callable[[Used], str]]] = {
    "day": lambda used: _at(used, "%Y-%m-%d"),
    "hour": lambda used: _at(used, "%Y-%m-%dT%H:00Z"),
    "principal": lambda used: used.principal,
    "project": lambda used: used.project,
    "tool": lambda used: used.tool,
    "model": lambda used: used.model,
}
DEFAULT: Final = ("model", "tool")


def usage_rows(rows: Iterable[Used], by: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each combination of the keys and each currency. Tokens and cost are None where none are known; `unpriced` counts requests
    whose price is not."""
    sums: dict[tuple[str, ...], dict[str, Any]] = {}
    for used in rows:
        key = tuple(KEYS[name](used) for name in by)
        row = sums.setdefault((*key, used.currency), _empty(by, key, used.currency))
        for name in (*_COUNTS, "unpriced"):
            row[name] += getattr(used, name)
        for name in _MAYBE:
            more = getattr(used, name)
            if more is not None:
                row[name] = more + (row[name] or 0)
    return sorted(sums.values(), key=lambda row: [row[name] for name in by])


def _empty(by: Sequence[str], key: tuple[str, ...], currency: str) -> dict[str, Any]:
    names, counts = dict(zip(by, key, strict=True)), dict.fromkeys(_COUNTS, 0)
    return {**names, **counts, **dict.fromkeys(_MAYBE), "currency": currency, "unpriced": 0}


def _at(used: Used, form: str) -> str:
    return datetime.fromtimestamp(used.hour, UTC).strftime(form)
