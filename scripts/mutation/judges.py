"""Who judges a mutant: the tests that reach its line, or whole simulated universes."""

import sys
from collections.abc import Callable
from typing import Final

import attrs
import pytest

from .operators import Mutant
from .reach import Reach, measured

TESTS: Final = "tests"
SIMULATION: Final = "simulation"
_FOLDERS = ["tests/daemon", "tests/shim", "tests/mcp", "tests/wire", "tests/storage"]
_UNIVERSES = 8
_HOURS = 1.0


@attrs.frozen
class ByTests:
    """Returns a judge for each mutant, or None if no test reaches its line. `limit_s` is for all its tests together."""

    reach: Reach
    limit_s: float = 120.0

    def judge(self, mutant: Mutant) -> Callable[[], int] | None:
        tests = self.reach.tests(mutant.path, mutant.line)
        return (lambda: _test(tests)) if tests else None


@attrs.frozen
class BySimulation:
    """Every mutant is judged by the same universes."""

    limit_s: float = 120.0

    def judge(self, _mutant: Mutant) -> Callable[[], int] | None:
        return _simulate


def _by_tests(chosen: list[Mutant]) -> ByTests:
    return ByTests(measured(sorted({mutant.path for mutant in chosen}), _FOLDERS))


def _by_simulation(_chosen: list[Mutant]) -> BySimulation:
    return BySimulation()


JUDGES: Final[dict[str, Callable[[list[Mutant]], ByTests | BySimulation]]] = {
    TESTS: _by_tests,
    SIMULATION: _by_simulation,
}


def _test(tests: list[str]) -> int:
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))


def _simulate() -> int:
    """1 if a universe breaks a promise, or nothing is answered in it."""
    sys.path.insert(0, "tests/dst")
    import logging

    from universe.run import simulate

    logging.disable(logging.CRITICAL)
    for seed in range(_UNIVERSES):
        report = simulate(seed, _HOURS)
        if report.faults or not report.tally["ok"]:
            return 1
    return 0
