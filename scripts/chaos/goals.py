"""The times and weights to reach, and whether they were. Missing one is said and is no failure: machines differ."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs


@attrs.frozen
class Goal:
    """That a share of a figure's values is at most `most`."""

    figure: str
    share: float
    most: float

    @property
    def label(self) -> str:
        return "most" if self.share == 1 else f"p{self.share * 100:g}"


GOALS: Final[Mapping[str, Sequence[Goal]]] = {
    "kill-daemon": (
        Goal("kill to next answer, s", 0.5, 0.7),
        Goal("kill to next answer, s", 0.99, 1.5),
        Goal("listening to next answer, s", 0.5, 0.3),
    ),
    "rolling": (Goal("added to calls during the restart, s", 0.99, 0.3),),
    "team-kill": (
        Goal("struck to the next hello_ack, s", 0.5, 0.1),
        Goal("struck to the next hello_ack, s", 0.99, 0.5),
    ),
    "team-freeze": (
        Goal("struck to the next hello_ack, s", 1.0, 6.0),
        Goal("struck to answered, beyond the call's own time, s", 0.5, 8.0),
        Goal("struck to answered, beyond the call's own time, s", 0.99, 12.0),
    ),
    "team-rolling": (Goal("added to calls during the restart, s", 0.99, 0.3),),
    "probed": (Goal("probe to its answer, s", 0.999, 2.0),),
    "drain-long": (Goal("drain, s", 1.0, 8.0),),
    "autostarted": (
        Goal("SIGKILL in a call of 4 s to its answer, s", 1.0, 7.0),
        Goal("SIGTERM in a call of 4 s to its answer, s", 1.0, 7.0),
    ),
    "provider-odd": (Goal("requests for a finished answer", 1.0, 1.0),),
    "http-leave": (Goal("left to the provider's socket closed, s", 1.0, 1.0),),
    "no-daemon": (Goal("without a daemon: answered after its deadline, s", 1.0, 1.0),),
}


def percentile(values: Sequence[float], share: float) -> float:
    """Of a sequence that is not empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def judged(name: str, figures: Mapping[str, Sequence[float]]) -> Iterable[str]:
    """A line for each goal of this scenario that there are figures for."""
    for goal in GOALS.get(name, ()):
        if values := figures.get(goal.figure):
            found = percentile(values, goal.share)
            yield verdict(f"{name}: {goal.figure}: {goal.label}", found, goal.most)


def verdict(what: str, found: float, most: float) -> str:
    word = "met" if found <= most else "MISSED"
    return f"{word:7}{what} {found:.3g}, goal at most {most:g}"
