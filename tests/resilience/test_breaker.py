"""The breaker's rules, as single stories and against random histories."""

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exai_trio.resilience.breaker import Breaker, Closed, Ticket

OPEN_S = 60.0


def failed(breaker, times, now=0.0):
    for _ in range(times):
        breaker.settle(breaker.admit(now), "failure", now)
    return breaker


def fresh(threshold=3):
    return Breaker(threshold=threshold, open_s=OPEN_S)


def test_failures_in_a_row_open_it():
    """The threshold's last failure opens the breaker, which then says how long it stays so."""
    breaker = failed(fresh(), 3, now=10.0)

    assert breaker.state(10.0) == "open"
    assert breaker.admit(30.0) == Closed(retry_after_s=40.0)


def test_a_success_between_failures_starts_the_count_anew():
    """Only failures in a row count."""
    breaker = failed(fresh(), 2)

    breaker.settle(breaker.admit(0.0), "success", 0.0)
    failed(breaker, 2)

    assert breaker.state(0.0) == "closed"


def test_half_open_lets_one_probe_through_at_a_time():
    """After the pause one request may try; the others are still turned away."""
    breaker = failed(fresh(), 3)

    probe = breaker.admit(OPEN_S)

    assert probe == Ticket(epoch=1, probe=True)
    assert isinstance(breaker.admit(OPEN_S), Closed)


def test_a_probe_that_succeeds_closes_it():
    """One success after the pause and everybody passes again."""
    breaker = failed(fresh(), 3)

    breaker.settle(breaker.admit(OPEN_S), "success", OPEN_S)

    assert breaker.pristine
    assert isinstance(breaker.admit(OPEN_S), Ticket)


def test_a_probe_that_fails_opens_it_for_the_whole_time_again():
    """One failure after the pause is enough."""
    breaker = failed(fresh(), 3)

    breaker.settle(breaker.admit(OPEN_S), "failure", OPEN_S + 5)

    assert breaker.admit(OPEN_S + 5) == Closed(retry_after_s=OPEN_S)


def test_a_cancelled_probe_frees_its_place():
    """A probe that says nothing leaves the breaker half open for the next."""
    breaker = failed(fresh(), 3)

    breaker.settle(breaker.admit(OPEN_S), "nothing", OPEN_S)

    assert breaker.state(OPEN_S) == "half open"
    assert breaker.admit(OPEN_S) == Ticket(epoch=1, probe=True)


def test_late_news_from_before_the_opening_count_for_nothing():
    """A request admitted before the breaker opened neither closes it nor takes the probe's place."""
    breaker = fresh()
    slow = breaker.admit(0.0)
    failed(breaker, 3)
    breaker.admit(OPEN_S)

    breaker.settle(slow, "success", OPEN_S)

    assert breaker.state(OPEN_S) == "half open"
    assert isinstance(breaker.admit(OPEN_S), Closed)


def test_a_late_failure_does_not_open_it_again():
    """What was asked before the pause says nothing about the time after it."""
    breaker = fresh()
    slow = breaker.admit(0.0)
    failed(breaker, 3)

    breaker.settle(slow, "failure", OPEN_S)

    assert breaker.state(OPEN_S) == "half open"


def test_a_threshold_of_1_opens_it_at_the_first_failure():
    """The least that can be asked for."""
    assert failed(fresh(threshold=1), 1).state(0.0) == "open"


def test_a_breaker_that_knows_of_a_failure_is_not_forgotten():
    """Neither one that counts, nor one that is open; a success clears it."""
    fine, counting, opened = (failed(fresh(), times) for times in (0, 1, 3))
    cleared = failed(fresh(), 1)
    cleared.settle(cleared.admit(0.0), "success", 0.0)

    assert [True, False, False, True] == [
        breaker.pristine for breaker in (fine, counting, opened, cleared)
    ]


def test_threshold_0_switches_it_off():
    """Nothing ever opens a breaker without a threshold."""
    breaker = failed(fresh(threshold=0), 1000)

    assert breaker.state(0.0) == "closed"


class AnyHistory(RuleBasedStateMachine):
    """Requests start, end and are cancelled in any order while time goes on."""

    @initialize(threshold=st.integers(1, 4))
    def start(self, threshold):
        self.breaker = Breaker(threshold=threshold, open_s=OPEN_S)
        self.now = 0.0
        self.out = []

    @rule(seconds=st.sampled_from([0.0, 1.0, OPEN_S / 2, OPEN_S]))
    def time_goes_on(self, seconds):
        self.now += seconds

    @rule()
    def ask(self):
        before = self.breaker.state(self.now)
        admission = self.breaker.admit(self.now)
        if isinstance(admission, Ticket):
            assert before != "open"
            self.out.append(admission)
        else:
            assert before != "closed"
            assert 0 <= admission.retry_after_s <= OPEN_S

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 99), outcome=st.sampled_from(["success", "failure", "nothing"]))
    def end(self, which, outcome):
        before = (self.breaker.state(self.now), self.breaker.failures)
        ticket = self.out.pop(which % len(self.out))
        self.breaker.settle(ticket, outcome, self.now)
        if outcome == "nothing":
            assert before == (self.breaker.state(self.now), self.breaker.failures)

    @invariant()
    def one_probe_at_most(self):
        current = [
            ticket for ticket in self.out if ticket.probe and ticket.epoch == self.breaker.epoch
        ]
        assert len(current) <= 1

    @invariant()
    def never_stuck(self):
        """With nothing under way, a breaker whose pause is over admits somebody."""
        if not self.out and self.breaker.state(self.now) != "open":
            ticket = self.breaker.admit(self.now)
            assert isinstance(ticket, Ticket)
            self.breaker.settle(ticket, "nothing", self.now)


AnyHistory.TestCase.settings = settings(
    max_examples=settings.default.max_examples * 3 // 5, stateful_step_count=30
)
TestAnyHistory = AnyHistory.TestCase
