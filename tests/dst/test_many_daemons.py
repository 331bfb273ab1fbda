"""A few daemons on one store in storms that follow from a seed: every promise holds, and every planted bug is found."""

import pytest
from many.mutants_of_many import BUGS
from many.storm import stormy

STORM = {
    "ok",
    "runs",
    "reruns",
    "claimed",
    "moved",
    "resumed",
    "INTERRUPTED",
}  # what is to be survived does happen
_MOST_UNIVERSES = 12


def test_every_promise_holds_among_many_daemons():
    """An accepted call is answered once, by what is stored; it runs again only where its daemon was lost; permits are never more than
    there are, while all are in touch."""
    judges, unseen = [], set(STORM)
    for seed in range(_MOST_UNIVERSES):  # scripts/dst many has as many as you like
        judges.append(stormy(seed, 60.0))
        unseen.difference_update(judges[-1].tally)
        if len(judges) > 1 and not unseen:
            break

    assert [[]] * len(judges) == [judge.faults for judge in judges]
    assert all(judge.tally["ok"] > 5 for judge in judges)
    assert set() == unseen


@pytest.mark.real  # no process, but more time than the fast tests have
@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_bug_among_many_is_found(bug):
    """Within a few universes, by the promise that it breaks."""
    others = [seed for seed in range(_MOST_UNIVERSES) if seed != bug.seed]
    with bug.plant():
        found = (
            any(bug.complaint in fault for fault in stormy(seed, 100.0, bug.complaint).faults)
            for seed in (bug.seed, *others)
        )
        assert any(found)
