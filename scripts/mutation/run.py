"""Mutants tried side by side, each in a forked process."""

import time
from collections.abc import Iterator
from typing import Literal

import attrs

from .judges import BySimulation, ByTests
from .operators import Mutant
from .trial import Trial, Verdict, load_libraries, started

_LOOK_S = 0.02


@attrs.frozen
class Result:
    """What became of a mutant."""

    mutant: Mutant
    verdict: Verdict | Literal["not reached"]
    seconds: float


def tried(
    chosen: list[Mutant], judges: ByTests | BySimulation, *, jobs: int, until: float
) -> Iterator[Result]:
    """Each mutant's result as soon as it is known; none is begun after `until`. No process of ours is left when the iterator is closed.

    Raises RuntimeError if something is noticed where nothing was changed.
    """
    load_libraries()
    _check_unchanged(chosen, judges)
    waiting, running = list(reversed(chosen)), list[Trial]()
    try:
        while waiting or running:
            if time.monotonic() > until:
                waiting.clear()
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                judge = judges.judge(mutant)
                if judge is None:
                    yield Result(mutant, "not reached", 0.0)
                else:
                    running.append(started(mutant, judge, judges.limit_s))
            yield from _ended(running)
            time.sleep(_LOOK_S)
    finally:
        for trial in running:
            trial.kill()


def _check_unchanged(chosen: list[Mutant], judges: ByTests | BySimulation) -> None:
    """Whoever judges must see a difference between the first mutant and none."""
    judge = next((one for mutant in chosen if (one := judges.judge(mutant)) is not None), None)
    if judge is None:
        return
    trial = started(None, judge, judges.limit_s)
    while (verdict := trial.verdict()) is None:
        time.sleep(_LOOK_S)
    if verdict != "survived":
        raise RuntimeError(f"{verdict}, although nothing was changed")


def _ended(running: list[Trial]) -> Iterator[Result]:
    for trial in list(running):
        if (verdict := trial.verdict()) is not None:
            running.remove(trial)
            assert trial.mutant is not None
            yield Result(trial.mutant, verdict, time.monotonic() - trial.began)
