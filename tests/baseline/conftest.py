"""The scripts that these tests are about, where Python finds them; and rows and runs to judge."""

import sys
from pathlib import Path

import attrs
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from baseline.records import Baseline, Machine, Run  # noqa: E402

MACHINE = Machine(id="here", cores=2, system="Linux", python="3.11")


@pytest.fixture
def baseline():
    """A baseline of runs with these milliseconds, by tool."""

    def make(source="simulated", machine="here", **its):
        runs = [
            Run(tool=tool, ok=True, right=True, total_ms=float(value), own_ms=float(value))
            for tool, values in its.items()
            for value in values
        ]
        return Baseline(
            source=source,
            at=1.0,
            revision="r",
            machine=attrs.evolve(MACHINE, id=machine),
            runs=tuple(runs),
        )

    return make


@pytest.fixture
def said(capsys):
    """Run the command line: its exit code, stdout and stderr."""
    from baseline.command import main

    def run(*words):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        return (left.value.code, *capsys.readouterr())

    return run
