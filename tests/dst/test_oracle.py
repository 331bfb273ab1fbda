"""What the simulation takes for fair, where it cannot be otherwise, and for nothing else."""

from types import SimpleNamespace

import pytest
from universe.kinds import KINDS
from universe.oracle import Oracle

DURABLE = KINDS[0]
WITHOUT_JOURNAL = next(kind for kind in KINDS if not kind.is_durable)


def _nothing_on_disk(_key):
    """The journal has nothing of any call."""


def _oracle_of(kind):
    """It has heard of one call, whose outcome the disk refuses."""
    oracle = Oracle(lambda _text: None, kind, {"w1:1"}, _nothing_on_disk)
    oracle.asked("w1:1", "work", "w1/1")
    return oracle


@pytest.mark.parametrize(("cut", "faults"), [((), 1), ((3,), 1), ((1,), 0), ((2,), 0)])
def test_a_call_is_interrupted_where_it_ran_or_where_its_outcome_was_to_be_kept(cut, faults):
    """It runs in daemon 1, whose successor is daemon 2; the third has nothing to do with it."""
    oracle = _oracle_of(DURABLE)
    oracle.ran("w1/1", 1, None)
    oracle.transferred("w1:1", 2)
    oracle.runs.cut.update(cut)

    oracle.outcome("w1:1", "INTERRUPTED")

    assert faults == len(oracle.faults)


@pytest.mark.parametrize(
    ("kind", "shed", "may_run_again"),
    [(DURABLE, True, False), (WITHOUT_JOURNAL, False, False), (WITHOUT_JOURNAL, True, True)],
)
async def test_a_daemon_runs_a_call_again_that_it_was_free_to_forget(kind, shed, may_run_again):
    """That is where there is no journal, and the session was shed."""
    oracle = _oracle_of(kind)
    oracle.ran("w1/1", 1, SimpleNamespace(_shed=shed))
    oracle.runs.end("w1/1", 1)

    oracle.ran("w1/1", 1, SimpleNamespace(_shed=False))

    assert may_run_again == ("w1/1 ran twice in one daemon" not in oracle.faults)
