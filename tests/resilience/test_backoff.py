"""How long to wait before trying again."""

import pytest
from hypothesis import given, strategies as st

from exai_trio.resilience.backoff import Backoff

backoffs = st.builds(Backoff, first_s=st.floats(0.01, 5), longest_s=st.floats(5, 60))
fractions = st.floats(0, 1, exclude_max=True)


@given(backoffs, st.integers(1, 10_000), fractions)
def test_jitter_is_full_and_bounded(backoff, failures, random):
    """Without a word from the peer the wait lies between nothing and the ceiling, whatever the number of failures."""
    wait_s = backoff.delay_s(failures, None, random)

    assert 0 <= wait_s <= backoff.ceiling_s(failures) <= backoff.longest_s


@given(backoffs, st.integers(1, 50))
def test_the_ceiling_never_sinks(backoff, failures):
    """More failures never mean a lower ceiling."""
    assert backoff.ceiling_s(failures) <= backoff.ceiling_s(failures + 1)


@given(backoffs, st.integers(1, 50), st.floats(0, 1000), fractions)
def test_a_peer_is_never_asked_before_the_time_it_named(backoff, failures, asked_s, random):
    """`retry_after_s` is a lower bound, and the jitter on top of it is small."""
    wait_s = backoff.delay_s(failures, asked_s, random)

    assert asked_s <= wait_s <= asked_s + backoff.first_s


@pytest.mark.parametrize(
    ("failures", "ceiling_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 20.0), (99, 20.0)]
)
def test_the_ceiling_doubles_up_to_the_longest(failures, ceiling_s):
    """0.5 s after the first failure, doubled with each, 20 s at most."""
    assert ceiling_s == Backoff().ceiling_s(failures)


def test_a_negative_retry_after_is_no_time_machine():
    """A wait is never negative."""
    assert Backoff().delay_s(1, -5.0, 0.0) == 0.0
