"""The rules of a session: one id, one execution; numbered frames are kept until acknowledged and replayed in order."""

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from session_calls import accepted, call, ended, refusal, result, seq

from exai_trio.errors import ServiceUnavailableError
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import ToolsChanged
from exai_trio.wire.session_bounds import Bounds
from exai_trio.wire.session_rules import Again, Refuse, SessionRules, Start


def test_a_new_call_starts(rules):
    """An id that was never seen is a new call."""
    assert Start() == rules.submit(call())


@pytest.mark.parametrize("is_known", [False, True])
def test_arguments_that_cannot_be_compared_are_refused(rules, is_known):
    """Nested so deeply that they can be read and not written again."""
    nested: list = []
    for _ in range(5000):
        nested = [nested]
    if is_known:
        rules.submit(call())

    assert isinstance(rules.submit(call(x=nested)), Refuse)
    assert is_known == rules.running


def test_a_running_call_is_joined(rules):
    """The same id again hears the acceptance again, and nothing is started."""
    rules.submit(call())
    frame = rules.accept("r1", accepted()).frame

    assert Again(frame) == rules.submit(call())
    assert 1 == rules.running


def test_a_finished_call_repeats_its_outcome_under_its_number(rules):
    """Before the acknowledgement the very same frame is sent again, so that the client can drop it."""
    rules.submit(call())
    rules.accept("r1", accepted())
    frame = rules.finish("r1", result()).frame

    assert Again(frame) == rules.submit(call())


def test_an_acknowledged_outcome_is_repeated_under_a_new_number(rules):
    """A client that asks again after its ack wants to hear it: the frame is new to it."""
    rules.submit(call())
    rules.accept("r1", accepted())
    frame = rules.finish("r1", result()).frame
    rules.acknowledge(seq(frame))
    again = rules.submit(call())

    assert isinstance(again, Again)
    assert seq(frame) + 1 == seq(again.frame)


def test_the_same_id_with_other_arguments_is_refused(rules):
    """An id names one call."""
    rules.submit(call(prompt="a"))
    refused = rules.submit(call(prompt="b"))

    assert isinstance(refused, Refuse)
    assert "request_id_reused" == refused.fault.details["reason"]


def test_the_order_of_arguments_makes_no_other_call(rules):
    """Two objects with the same members are the same arguments."""
    rules.submit(call(a=1, b=2))

    assert isinstance(rules.submit(call(b=2, a=1)), Again)


def test_an_objection_keeps_new_calls_out_but_known_ones_are_answered(rules):
    """While draining, stored outcomes are still repeated."""
    rules.submit(call("old"))
    rules.accept("old", accepted("old"))
    objection = ServiceUnavailableError("draining")

    assert isinstance(rules.submit(call("old"), objection), Again)
    assert Refuse(objection) == rules.submit(call("new"), objection)


def test_more_calls_than_allowed_are_refused_and_can_be_sent_again():
    """A refused call leaves no trace: the same id starts later."""
    rules = SessionRules(bounds=Bounds(running=1), resumable=True)
    rules.submit(call("r1"))
    refused = rules.submit(call("r2"))
    rules.accept("r1", accepted())
    rules.finish("r1", result())

    assert isinstance(refused, Refuse)
    assert "OVER_CAPACITY" == refused.fault.code
    assert Start() == rules.submit(call("r2"))


def test_resuming_replays_what_lies_after_the_last_number_in_order(rules):
    """What the client has is not sent again."""
    frames = [rules.number(ToolsChanged()) for _ in range(4)]

    assert frames[2:] == rules.resume(2)
    assert [] == rules.resume(4)


def test_a_client_that_never_acknowledges_is_refused_new_calls():
    """What waits for acknowledgement is bounded."""
    rules = SessionRules(bounds=Bounds(unacked_frames=3), resumable=True)
    for _ in range(4):
        rules.number(ToolsChanged())
    refused = rules.submit(call())

    assert isinstance(refused, Refuse)
    assert "unacknowledged" == refused.fault.details["limit"]


def test_a_client_of_protocol_1_gets_no_numbers_and_nothing_is_kept():
    """Its frames carry no seq, and a reconnect replays nothing."""
    rules = SessionRules()
    frame = rules.number(ToolsChanged())

    assert seq(frame) is None
    assert [] == rules.resume(0)


def test_old_outcomes_are_forgotten_but_never_before_their_acknowledgement():
    """With room for one outcome, an unacknowledged older one stays."""
    rules = SessionRules(bounds=Bounds(kept_outcomes=1), resumable=True)
    for request_id in ("a", "b"):
        rules.submit(call(request_id))
        rules.accept(request_id, accepted(request_id))
        rules.finish(request_id, result(request_id))
    before = rules.submit(call("a"))
    rules.acknowledge(100)
    after = rules.submit(call("a"))

    assert isinstance(before, Again)
    assert Start() == after


def test_a_repetition_is_the_same_frame_until_it_is_acknowledged(rules):
    """The new number of an outcome that is repeated after its ack is its number from then on."""
    (frame,) = ended(rules, "r1")
    rules.acknowledge(seq(frame))
    first = rules.submit(call())

    assert Again(first.frame) == rules.submit(call())


def test_a_client_that_comes_back_with_protocol_1_hears_repetitions_without_numbers(rules):
    """It does not know what a number is, whoever had the session before."""
    ended(rules, "r1")
    rules.resumable = False

    assert Again(encode(result())) == rules.submit(call())


def test_a_refusal_goes_out_in_place_of_the_acceptance_under_its_number(rules):
    """A client that comes back hears the refusal only; the call was never seen, and its place is free."""
    rules.submit(call())
    rules.accept("r1", accepted())
    frame = rules.reject("r1", refusal())

    assert 1 == seq(frame)
    assert [frame] == rules.resume(0)
    assert (0, ()) == (rules.running, rules.known())


def test_a_refusal_of_a_call_of_protocol_1_has_no_number():
    """Nor has the call itself one in the journal."""
    rules = SessionRules()
    rules.submit(call())
    number = rules.accept("r1", accepted()).seq

    assert 0 == number
    assert encode(refusal()) == rules.reject("r1", refusal())


def test_a_call_runs_from_its_start_to_its_outcome(rules):
    """One that was never seen does not."""
    unknown = rules.is_running("r1")
    rules.submit(call())
    started = rules.is_running("r1")
    rules.finish("r1", result())

    assert [False, True, False] == [unknown, started, rules.is_running("r1")]


class ManyCalls(RuleBasedStateMachine):
    """A client that submits, repeats, acknowledges and reconnects at will, and a daemon that finishes at will."""

    def __init__(self):
        super().__init__()
        self.rules = SessionRules(bounds=Bounds(running=3, kept_outcomes=4), resumable=True)
        self.started = []
        self.running = []
        self.sent = []

    @rule(request_id=st.sampled_from("abcdef"))
    def submit(self, request_id):
        verdict = self.rules.submit(call(request_id))
        if verdict == Start():
            assert request_id not in self.running
            self.running.append(request_id)
            self.sent.append(self.rules.accept(request_id, accepted(request_id)).frame)
        elif isinstance(verdict, Again) and verdict.frame not in self.sent:
            self.sent.append(verdict.frame)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data):
        request_id = data.draw(st.sampled_from(self.running))
        self.running.remove(request_id)
        self.sent.append(self.rules.finish(request_id, result(request_id)).frame)

    @rule(last=st.integers(0, 30))
    def resume(self, last):
        replayed = [seq(frame) for frame in self.rules.resume(last)]

        assert replayed == sorted(replayed)
        assert replayed == list(range(len(self.sent) - len(replayed) + 1, len(self.sent) + 1))

    @invariant()
    def numbers_have_no_gap(self):
        assert list(range(1, len(self.sent) + 1)) == [seq(frame) for frame in self.sent]

    @invariant()
    def as_many_run_as_were_started_and_not_finished(self):
        assert len(self.running) == self.rules.running <= 3


TestManyCalls = ManyCalls.TestCase
TestManyCalls.settings = settings(max_examples=40)
