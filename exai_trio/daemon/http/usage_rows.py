"""Ended calls added up by some of their keys. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from exai_trio.observability.events import CallEnded

_TOKENS: Final = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
KEYS: Final[dict[str, Callable[[CallEnded], str]]] = {
    "day": lambda call: _at(call, "%Y-%m-%d"),
    "hour": lambda call: _at(call, "%Y-%m-%dT%H:00Z"),
    "principal": lambda call: call.principal,
    "project": lambda call: call.project,
    "tool": lambda call: call.tool,
    "model": lambda call: call.model,
}


def usage_rows(calls: Iterable[CallEnded], by: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each combination of the keys and each currency; `unpriced` counts calls of models without a known price."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for call in calls:
        key = tuple(KEYS[name](call) for name in by)
        row = rows.setdefault((*key, call.currency), _empty(by, key, call.currency))
        _add(row, call)
    return sorted(rows.values(), key=lambda row: [row[name] for name in by])


def _empty(by: Sequence[str], key: tuple[str, ...], currency: str) -> dict[str, Any]:
    counts = dict.fromkeys(("calls", "failures", *_TOKENS, "unpriced"), 0)
    return {**dict(zip(by, key, strict=True)), **counts, "cost": 0.0, "currency": currency}


def _add(row: dict[str, Any], call: CallEnded) -> None:
    row["calls"] += 1
    row["failures"] += call.code != ""
    row["unpriced"] += call.model != "" and call.cost is None
    row["cost"] += call.cost or 0.0
    for name in _TOKENS:
        row[name] += getattr(call, name) or 0


def _at(call: CallEnded, form: str) -> str:
    return datetime.fromtimestamp(call.started_at, UTC).strftime(form)
