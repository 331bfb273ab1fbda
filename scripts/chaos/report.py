"""What the trials found, as JSON and as a table for people. Nothing is measured here."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from .trial import Trial

_TITLES = ("scenario", "cycles", "accepted", "answered", "executed", "runs/call", "failures", "")


@attrs.frozen
class Outcome:
    """A trial that was run, or why it was not."""

    name: str
    trial: Trial | None = None
    skipped: str = ""
    seconds: float = 0.0

    @property
    def broken(self) -> list[str]:
        return self.trial.broken if self.trial else []

    @property
    def verdict(self) -> str:
        if self.trial is None:
            return "skipped"
        return "BROKEN" if self.broken else "held"


def percentile(values: Sequence[float], share: float) -> float:
    """Of a sequence that is not empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(outcomes: Sequence[Outcome]) -> str:
    rows = [_TITLES, *map(_row, outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]  # fmt: skip
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, "", *_figures(outcomes), *_remarks(outcomes)])


def _row(outcome: Outcome) -> tuple[str, ...]:
    trial = outcome.trial
    if trial is None:
        return (outcome.name, "", "", "", "", "", "", "skipped")
    runs = " ".join(f"{times}×{calls}" for times, calls in sorted(trial.runs_per_call.items()))
    failures = " ".join(f"{code}:{count}" for code, count in sorted(trial.failures.items()))
    counts = (trial.done, trial.accepted, trial.answered, trial.executed)
    return (outcome.name, *map(str, counts), runs, failures, outcome.verdict)


def _figures(outcomes: Iterable[Outcome]) -> Iterable[str]:
    for outcome in outcomes:
        for name, values in (outcome.trial.figures if outcome.trial else {}).items():
            yield f"{outcome.name}: {name}: {summary(name, values)}"


def summary(name: str, values: Sequence[float]) -> str:
    """Percentiles of times; beginning, end and peak of what is weighed."""
    if "MiB" in name:
        tenth = max(1, len(values) // 10)
        first, last = (sum(part) / tenth for part in (values[:tenth], values[-tenth:]))
        return f"first {first:.1f}, last {last:.1f}, most {max(values):.1f}"
    shown = [f"{label} {percentile(values, share):.3f}" for label, share in _SHARES]
    return ", ".join([*shown, f"most {max(values):.3f} (n={len(values)})"])


_SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


def _remarks(outcomes: Iterable[Outcome]) -> Iterable[str]:
    for outcome in outcomes:
        if outcome.skipped:
            yield f"{outcome.name}: skipped, {outcome.skipped}"
        if outcome.trial:
            yield from (f"{outcome.name}: {note}" for note in outcome.trial.notes)
        yield from (f"{outcome.name}: BROKEN: {what}" for what in outcome.broken[:20])


def write(path: Path, outcomes: Iterable[Outcome], **facts: Any) -> None:
    found = [_as_json(outcome) for outcome in outcomes]
    path.write_text(json.dumps({**facts, "scenarios": found}, indent=1) + "\n", encoding="utf-8")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": outcome.name, "verdict": outcome.verdict}
    if outcome.trial is None:
        return facts | {"skipped": outcome.skipped}
    kept = attrs.asdict(outcome.trial, filter=lambda field, _: field.name not in _NOT_SHOWN)
    summaries = {name: summary(name, values) for name, values in outcome.trial.figures.items()}
    return facts | kept | {"seconds": round(outcome.seconds, 1), "summaries": summaries}


_NOT_SHOWN = frozenset({"random", "_marks", "name"})
