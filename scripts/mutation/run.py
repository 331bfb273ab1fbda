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
    """Each mutant's result as soon as it is known; none is begun after `until`. No process of ours is left when the iterator is closed."""
    load_libraries()
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


def _ended(running: list[Trial]) -> Iterator[Result]:
    for trial in list(running):
        if (verdict := trial.verdict()) is not None:
            running.remove(trial)
            yield Result(trial.mutant, verdict, time.monotonic() - trial.began)
