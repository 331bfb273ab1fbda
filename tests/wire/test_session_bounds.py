"""What a session keeps: so much and no more, and nothing is dropped before its client has it."""

import pytest
from session_calls import accepted, call, ended, refusal, result

from exai_trio.wire.codec import encode
from exai_trio.wire.messages import ToolsChanged
from exai_trio.wire.session_bounds import Bounds
from exai_trio.wire.session_rules import SessionRules

FRAME = len(SessionRules(resumable=True).number(ToolsChanged()))


@pytest.mark.parametrize("bounds", [Bounds(unacked_frames=3), Bounds(unacked_bytes=3 * FRAME)])
def test_unacknowledged_frames_are_bounded_by_their_number_and_by_their_bytes(bounds):
    """At the bound a call may start, over it none may, and an acknowledgement makes room."""
    rules = SessionRules(bounds=bounds, resumable=True)
    for _ in range(3):
        rules.number(ToolsChanged())
    at_the_bound = rules.over_capacity()
    rules.number(ToolsChanged())
    over = rules.over_capacity()
    rules.acknowledge(1)

    assert at_the_bound is None
    assert "unacknowledged" == over.details["limit"]
    assert rules.over_capacity() is None


def test_only_so_many_outcomes_are_kept_and_calls_that_run_are_not_counted():
    """The outcome that came first is forgotten first, whichever call began first."""
    rules = SessionRules(bounds=Bounds(kept_outcomes=2), resumable=True)
    for request_id in ("running", "a", "b", "c"):
        rules.submit(call(request_id))
    for request_id in ("c", "b", "a"):
        rules.finish(request_id, result(request_id))
    rules.acknowledge(rules.last_seq)

    assert ("running", "b", "a") == rules.known()


def test_only_so_many_bytes_of_outcomes_are_kept():
    """The oldest are forgotten until the rest is at the bound."""
    size = len(encode(result("a")))
    rules = SessionRules(bounds=Bounds(kept_bytes=2 * size), resumable=True)
    ended(rules, "a", "b", "c")
    rules.acknowledge(rules.last_seq)

    assert ("b", "c") == rules.known()


def test_a_new_outcome_pushes_an_acknowledged_one_out_at_once():
    """The bound holds without another acknowledgement."""
    rules = SessionRules(bounds=Bounds(kept_outcomes=1), resumable=True)
    ended(rules, "a")
    rules.acknowledge(rules.last_seq)
    ended(rules, "b")

    assert ("b",) == rules.known()


def test_nothing_is_held_once_all_is_acknowledged_and_forgotten():
    """The bytes of every frame and outcome that were counted in are counted out."""
    rules = SessionRules(bounds=Bounds(kept_outcomes=0), resumable=True)
    ended(rules, "a", "b")
    rules.submit(call("c"))
    rules.accept("c", accepted("c"))
    rules.reject("c", refusal("c"))
    rules.acknowledge(rules.last_seq)

    assert 0 == rules.held_bytes


def test_each_frame_and_each_known_call_weighs_something(rules):
    """Many small ones are heavy too: their entries count beside their text."""
    frame = rules.number(ToolsChanged())
    one_frame = rules.held_bytes
    rules.submit(call())
    and_one_call = rules.held_bytes

    assert one_frame > len(frame) + 100
    assert and_one_call > one_frame + 100

    entries = rules.held_bytes - rules._unacked_bytes - rules._kept_bytes

    assert entries > 2 * 100


def test_a_client_has_something_to_come_back_to_while_an_outcome_or_a_frame_is_kept(rules):
    """Either is enough: an acknowledged outcome, or a refusal that was not heard."""
    nothing = rules.holds_anything
    rules.number(ToolsChanged())
    a_frame = rules.holds_anything
    rules.acknowledge(rules.last_seq)
    acknowledged = rules.holds_anything
    ended(rules, "r1")
    rules.acknowledge(rules.last_seq)
    an_outcome = rules.holds_anything

    assert [False, True, False, True] == [nothing, a_frame, acknowledged, an_outcome]


def test_an_outcome_too_large_to_keep_is_given_all_the_same():
    """A client of protocol 1 never acknowledges: what would be too much to keep for it is forgotten once it was given."""
    rules = SessionRules(bounds=Bounds(kept_bytes=10))
    rules.submit(call("r1"))
    rules.accept("r1", accepted("r1"))
    numbered = rules.finish("r1", result("r1"))

    assert (0, numbered.body) == (numbered.seq, numbered.frame)
    assert rules.outcome_of("r1") is None
    assert (0, ()) == (rules.running, rules.known())
