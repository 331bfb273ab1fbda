"""Daemon, shim and journal in storms that follow from a seed: every promise holds, and every planted bug is found."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from universe.kinds import KINDS, kind_of
from universe.mutants import MUTANTS
from universe.run import simulate
from universe.story import PEACEFUL_CALLS

HERE = Path(__file__).parent
HOURS = 1.5
SEEDS = range(len(KINDS))  # one universe of each kind; scripts/dst has as many as you like
STORM = {  # what is to be survived does happen
    "reruns",
    "replaced",
    "INTERRUPTED",
    "CANCELLED",
    "OVER_CAPACITY",
    "NOT_FOUND",
    "withdrawn",
    "handles",
    "fetched ok",
    "fetched running",
}
_SOUGHT = (
    1,
    0,
    *range(2, 10),
)  # at most these universes, until a planted bug is found: most are in the first
universe_of = functools.cache(simulate)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_holds(seed):
    """Acknowledged calls are answered once, run at most so often, in order; nothing is left over and nobody waits for ever."""
    report = universe_of(seed, HOURS)

    assert [] == report.faults
    assert report.tally["ok"] > 100
    assert report.lives > 3


def test_what_is_to_be_survived_happens():
    """In these few universes, of which there is one of each kind."""
    kinds = {kind_of(seed).name for seed in SEEDS}
    happened = set().union(*(universe_of(seed, HOURS).tally for seed in SEEDS))

    assert {kind.name for kind in KINDS} == kinds
    assert set() == STORM - happened


@pytest.mark.parametrize(
    ("plant", "complaint"),
    MUTANTS.items(),
    ids=[plant.__name__ for plant in MUTANTS],
)
def test_a_planted_bug_is_found(plant, complaint):
    """Within a few universes, by the promise that it breaks: all else goes on, and calls are answered."""
    answered, found = 0, False
    with plant():
        for seed in _SOUGHT:
            report = simulate(seed, 1.0, complaint)
            answered += report.tally.get("ok", 0)
            found = found or any(complaint in fault for fault in report.faults)
            if found and answered > PEACEFUL_CALLS:
                break

    assert found
    assert answered > PEACEFUL_CALLS


@pytest.mark.real
def test_the_same_seed_is_the_same_universe():
    """In another process, with other hashes, to the last event."""
    runs = [
        subprocess.run(
            [sys.executable, "-m", "universe", "--digest", "--seeds", "2", "--hours", "1"],
            env={**os.environ, "PYTHONPATH": str(HERE), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=50,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert 2 == len(runs[0].splitlines())
    assert runs[0] == runs[1]
