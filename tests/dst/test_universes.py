"""Daemon, shim and journal in storms that follow from a seed: every promise holds, and every planted bug is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from universe.kinds import KINDS, kind_of
from universe.mutants import BUGS
from universe.planting import instead
from universe.run import simulate
from universe.story import ENOUGH_ANSWERED, Universe

HERE = Path(__file__).parent
HOURS = 0.6
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
_MOST_UNIVERSES = 10


@pytest.mark.timeout(300)  # six universes
def test_every_promise_holds():
    """Acknowledged calls are answered once, run at most so often, in order; nothing is left over and nobody waits for ever. What is to be
    survived does happen in these few universes."""
    reports = [simulate(seed, HOURS) for seed in SEEDS]

    assert {} == {report.seed: report.faults for report in reports if report.faults}
    assert all(report.tally["ok"] > 100 and report.lives > 3 for report in reports)
    assert set() == STORM.difference(*(report.tally for report in reports))
    assert {kind.name for kind in KINDS} == {kind_of(seed).name for seed in SEEDS}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_found(bug):
    """Within a few universes, by the promise that it breaks: all else goes on, and calls are answered."""
    answered, found = 0, False
    universes = [(bug.seed, bug.storm_h), *((seed, 1.0) for seed in range(_MOST_UNIVERSES))]
    with bug.plant():
        for seed, hours in universes:
            report = simulate(seed, hours, bug.complaint)
            answered += report.tally.get("ok", 0)
            found = found or any(bug.complaint in fault for fault in report.faults)
            if found and answered > ENOUGH_ANSWERED:
                break

    assert found
    assert answered > ENOUGH_ANSWERED


def test_a_bug_takes_what_it_stands_in_for():
    """One that has drifted from the code would crash, which is no broken promise."""
    with pytest.raises(TypeError), instead(Universe, "begin", lambda _: lambda _self: None):
        raise AssertionError("it was planted")


@pytest.mark.real
def test_the_same_seed_is_the_same_universe():
    """In another process, with other hashes, to the last event."""
    path = os.pathsep.join((str(HERE), str(HERE.parent / "storage")))
    runs = [
        subprocess.run(
            [sys.executable, "-m", "universe", "--digest", "--seeds", "2", "--hours", "1"],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=50,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert 2 == len(runs[0].splitlines())
    assert runs[0] == runs[1]
