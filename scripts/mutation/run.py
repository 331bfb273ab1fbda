"""Mutants tried side by side, each in a forked process."""

import time
from collections.abc import Iterator
from typing import Literal

import attrs

from .judges import BySimulation, ByTests
from .operators import Mutant
from .trial import Trial, Verdict, started

_LOOK_S = 0.05


@attrs.frozen
class Result:
    """What became of a mutant."""

    mutant: Mutant
    verdict: Verdict | Literal["not reached"]
    seconds: float


def tried(chosen: list[Mutant], judges: ByTests | BySimulation, *, jobs: int) -> Iterator[Result]:
    """Each mutant's result as soon as it is known. No process of ours is left when the iterator is closed."""
    waiting, running = list(reversed(chosen)), list[Trial]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                judge = judges.judge(mutant)
                if judge is None:
                    yield Result(mutant, "not reached", 0.0)
                else:
                    running.append(started(mutant, judge, judges.limit_s))
            for trial in list(running):
                if (verdict := trial.verdict()) is not None:
                    running.remove(trial)
                    yield Result(trial.mutant, verdict, time.monotonic() - trial.began)
            time.sleep(_LOOK_S)
    finally:
        for trial in running:
            trial.kill()
