"""Who judges a mutant: the tests that reach its line, or whole simulated universes."""

import importlib
import logging
import sys
from collections.abc import Callable
from typing import Final

import attrs
import pytest

from .operators import Mutant
from .reach import Reach, measured

TESTS: Final = "tests"
SIMULATION: Final = "simulation"
_FOLDERS = [
    "tests/daemon",
    "tests/shim",
    "tests/mcp",
    "tests/wire",
    "tests/storage",
    "tests/inputs",
]
_UNIVERSES = 6  # each kind of them once
_HOURS = 1.0
_STORMS = 2  # of a few daemons on one store
_STORM_S = 60.0
_FIRST = 12  # tests, before all others are so much as collected


@attrs.frozen
class ByTests:
    """Returns a judge for each mutant, or None if no test reaches its line. `limit_s` is for all its tests together."""

    reach: Reach
    limit_s: float = 90.0

    def judge(self, mutant: Mutant) -> Callable[[], int] | None:
        tests = self.reach.tests(mutant)
        return (lambda: _test(tests[:_FIRST]) or _test(tests[_FIRST:])) if tests else None


@attrs.frozen
class BySimulation:
    """Every mutant is judged by the same universes."""

    limit_s: float = 60.0

    def judge(self, _mutant: Mutant) -> Callable[[], int] | None:
        return _simulate


def by_tests(chosen: list[Mutant], jobs: int) -> ByTests:
    return ByTests(measured(chosen, _FOLDERS, jobs))


def by_simulation(_chosen: list[Mutant], _jobs: int) -> BySimulation:
    return BySimulation()


JUDGES: Final[dict[str, Callable[[list[Mutant], int], ByTests | BySimulation]]] = {
    TESTS: by_tests,
    SIMULATION: by_simulation,
}


def _test(tests: list[str]) -> int:
    """0 if all of them pass."""
    without = ("cacheprovider", "xdist", "anyio")
    words = [word for name in without for word in ("-p", f"no:{name}")]
    try:
        return int(pytest.main(["-x", "-q", *words, "--timeout=30", *tests])) if tests else 0
    except (pytest.fail.Exception, MemoryError):
        return 1  # a test's time was over between two steps of pytest's, or its memory was full


def _simulate() -> int:
    """1 if a universe or a storm among many daemons breaks a promise, or nothing is answered in it."""
    sys.path[:0] = ["tests/dst", "tests/storage"]
    simulate = importlib.import_module("universe.run").simulate
    logging.disable(logging.CRITICAL)
    for seed in range(_UNIVERSES):
        report = simulate(seed, _HOURS, " ")  # it ends with its first fault
        if report.faults or not report.tally.get("ok"):
            return 1
    stormy = importlib.import_module("many.storm").stormy
    judges = (stormy(seed, _STORM_S, " ") for seed in range(_STORMS))
    return int(any(judge.faults or not judge.tally.get("ok") for judge in judges))
