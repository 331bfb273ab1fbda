"""What was measured, what was to be reached, and how it is shown. Nothing is measured here."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import attrs

Sense = Literal["at most", "at least"]


@attrs.frozen
class Goal:
    """A bound on ours, or with `of_floor` on ours divided by the floor."""

    sense: Sense
    bound: float
    of_floor: bool = False

    def text(self, unit: str) -> str:
        sign = "≤" if self.sense == "at most" else "≥"
        return (
            f"{sign} {self.bound:g} × floor" if self.of_floor else f"{sign} {self.bound:g} {unit}"
        )

    def is_met(self, ours: float, ratio: float | None) -> bool:
        value = ratio if self.of_floor else ours
        if value is None:
            return False
        return value <= self.bound if self.sense == "at most" else value >= self.bound


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table. Without a goal it is only there to be read."""

    what: str
    unit: str
    ours: float
    floor: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.floor if self.floor else None

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "met" if self.goal.is_met(self.ours, self.ratio) else "MISSED"

    def cells(self) -> tuple[str, ...]:
        goal = "" if self.goal is None else self.goal.text(self.unit)
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (
            self.what,
            goal,
            _number(self.floor),
            _number(self.ours),
            self.unit,
            ratio,
            self.verdict,
        )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


_TITLES = ("what", "goal", "floor", "ours", "unit", "ratio", "")


def table(rows: Iterable[Row]) -> str:
    cells = [_TITLES, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_TITLES))]
    lines = [_line(line, widths) for line in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Numbers to the right, words to the left."""
    aligned = [
        cell.rjust(width) if _TITLES[column] in {"floor", "ours", "ratio"} else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(aligned)


def write_json(path: Path, rows: Iterable[Row]) -> None:
    facts = [attrs.asdict(row) | {"ratio": row.ratio, "verdict": row.verdict} for row in rows]
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]
