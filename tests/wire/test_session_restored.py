"""What a session knows again after a restart: numbers, outcomes, acknowledgements and calls that run."""

import pytest
from session_calls import call, result, seq, survivor

from exai_trio.wire.messages import ToolsChanged
from exai_trio.wire.session_bounds import Bounds
from exai_trio.wire.session_rules import Refuse, SessionRules, Start


def test_a_call_without_outcome_counts_as_running_after_a_restart():
    """It has its place as before: no more calls run than are allowed, and no fewer once it has ended."""
    rules = SessionRules(bounds=Bounds(running=1), resumable=True)
    rules.restore([survivor(finished=False)], acked=0, base=0)
    meanwhile = rules.submit(call("r2"))
    rules.finish("r1", result())

    assert isinstance(meanwhile, Refuse)
    assert 0 == rules.running
    assert Start() == rules.submit(call("r2"))


@pytest.mark.parametrize("bounds", [Bounds(kept_outcomes=0), Bounds(kept_bytes=1)])
def test_an_outcome_of_an_earlier_daemon_is_forgotten_like_any_other(bounds):
    """It counts against the bounds, stays until it is acknowledged, and leaves nothing behind."""
    rules = SessionRules(bounds=bounds, resumable=True)
    rules.restore([survivor()], acked=0, base=0)
    before = rules.known()
    rules.acknowledge(2)

    assert ("r1",) == before
    assert ((), 0) == (rules.known(), rules.held_bytes)


def test_what_was_acknowledged_to_an_earlier_daemon_is_acknowledged(rules):
    """It is not replayed, and who asks for it again gets it under a new number."""
    rules.restore([survivor()], acked=2, base=0)
    replayed = rules.resume(0)
    again = rules.submit(call())

    assert [] == replayed
    assert seq(again.frame) > 2


def test_an_acknowledgement_may_cover_the_numbers_that_a_restart_left_out(rules):
    """Everything up to it is in the client's hands, the frame of that very number too."""
    rules.restore([survivor()], acked=0, base=0)
    last = rules.number(ToolsChanged())
    after = rules.number(ToolsChanged())

    assert [after] == rules.resume(seq(last))


@pytest.mark.parametrize(("acked", "left"), [(0, 2), (1, 1), (2, 0)])
def test_only_frames_that_are_there_wait_for_an_acknowledgement(rules, acked, left):
    """Numbers go on far above those that were given, and nobody is to acknowledge what lies between."""
    rules.restore([survivor()], acked=acked, base=0)

    assert left == rules.unacked_frames
