"""What the trials found, as JSON and as a table for people. Nothing is measured here."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from .goals import judged, percentile
from .trial import Trial

_TITLES = ("scenario", "cycles", "accepted", "answered", "executed", "runs/call", "failures", "")
_CROWDED = "times are not judged: other programs ran beside this one"
_MOST_POINTS = 400  # of a series in the JSON


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


def table(outcomes: Sequence[Outcome], *, crowded: bool = False) -> str:
    """Counts of each scenario, then times and weights, goals unless it was `crowded`, remarks, and what did not hold."""
    rows = [_TITLES, *map(_row, outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]  # fmt: skip
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(
        [
            *lines,
            "",
            *_figures(outcomes),
            "",
            *([_CROWDED] if crowded else _goals(outcomes)),
            _kills(outcomes),
            *_remarks(outcomes),
        ]
    )


def _row(outcome: Outcome) -> tuple[str, ...]:
    trial = outcome.trial
    if trial is None:
        return (outcome.name, "", "", "", "", "", "", "skipped")
    runs = " ".join(f"{times}×{calls}" for times, calls in sorted(trial.runs_per_call.items()))
    counts = (trial.done, trial.accepted, trial.answered, trial.executed)
    return (outcome.name, *map(str, counts), runs, _counted(trial.failures), outcome.verdict)


def _counted(counts: Counter[str]) -> str:
    return " ".join(f"{name}:{count}" for name, count in sorted(counts.items()))


def _figures(outcomes: Iterable[Outcome]) -> Iterable[str]:
    for outcome in outcomes:
        if outcome.trial is None:
            continue
        for name, values in outcome.trial.figures.items():
            yield f"{outcome.name}: {name}: {_times(values)}"
        for name, values in outcome.trial.weights.items():
            yield f"{outcome.name}: {name}: {_course(values)}"


def _times(values: Sequence[float]) -> str:
    shown = [f"{label} {percentile(values, share):.3f}" for label, share in _SHARES]
    return ", ".join([*shown, f"most {max(values):.3f} (n={len(values)})"])


_SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


def _course(values: Sequence[float]) -> str:
    """The median of the first and of the last tenth, and the peak."""
    tenth = max(1, len(values) // 10)
    first, last = (percentile(part, 0.5) for part in (values[:tenth], values[-tenth:]))
    return f"first {first:.1f}, last {last:.1f}, most {max(values):.1f}"


def _goals(outcomes: Iterable[Outcome]) -> Iterable[str]:
    for outcome in outcomes:
        if outcome.trial:
            yield from judged(outcome.name, outcome.trial.figures)


def _kills(outcomes: Sequence[Outcome]) -> str:
    """How many processes were killed, how far calls had come then, and how many got no answer."""
    trials = [outcome.trial for outcome in outcomes if outcome.trial]
    phases = sum((trial.phases for trial in trials), Counter[str]())
    kills = sum(trial.kills for trial in trials)
    lost = sum(trial.accepted - trial.answered for trial in trials)
    return f"{kills} kill -9, {lost} calls without an answer; calls when the daemon died: {_counted(phases) or 'none'}"


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
    trial = outcome.trial
    if trial is None:
        return facts | {"skipped": outcome.skipped}
    kept = attrs.asdict(trial, filter=lambda field, _: field.name not in _NOT_SHOWN)
    return (
        facts
        | kept
        | {
            "seconds": round(outcome.seconds, 1),
            "goals": list(judged(outcome.name, trial.figures)),
            "times": {name: _times(values) for name, values in trial.figures.items()},
            "courses": {name: _course(values) for name, values in trial.weights.items()},
            "figures": {name: _thinned(values) for name, values in trial.figures.items()},
            "weights": {name: _thinned(values) for name, values in trial.weights.items()},
        }
    )


_NOT_SHOWN = frozenset({"random", "_marks", "name", "figures", "weights"})


def _thinned(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values[:: max(1, len(values) // _MOST_POINTS)]]
