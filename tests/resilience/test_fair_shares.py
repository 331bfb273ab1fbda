"""How places are dealt: never more than there are, nobody more than it wants, and by turns what cannot be divided."""

import pytest
from hypothesis import given, settings, strategies as st

from exai_trio.resilience.fair_shares import fair_share

WANTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 12))


def dealt(capacity, wants, turn=0):
    return {name: fair_share(capacity, wants, name, turn) for name in wants}


@pytest.mark.parametrize(
    ("capacity", "wants", "shares"),
    [
        (4, {"a": 9, "b": 9}, {"a": 2, "b": 2}),
        (4, {"a": 9, "b": 1}, {"a": 3, "b": 1}),
        (4, {"a": 9, "b": 0}, {"a": 4, "b": 0}),
        (4, {"a": 1, "b": 1}, {"a": 1, "b": 1}),
        (10, {"a": 1, "b": 5, "c": 4}, {"a": 1, "b": 5, "c": 4}),
        (4, {}, {}),
    ],
)
def test_shares_are_equal_but_for_what_is_not_wanted(capacity, wants, shares):
    assert shares == dealt(capacity, wants)


@settings(max_examples=300)
@given(capacity=st.integers(0, 12), wants=WANTS, turn=st.integers(0, 20))
def test_all_that_is_wanted_is_dealt_and_never_more_than_there_is(capacity, wants, turn):
    shares = dealt(capacity, wants, turn)
    wanting = [name for name in wants if wants[name]]

    assert sum(shares.values()) == min(capacity, sum(wants.values()))
    assert all(shares[name] <= wants[name] for name in wants)
    assert capacity < len(wanting) or all(shares[name] for name in wanting)


@settings(max_examples=30)
@given(capacity=st.integers(1, 5), wants=WANTS)
def test_what_cannot_be_divided_goes_to_each_by_turns(capacity, wants):
    wanting = [name for name in wants if wants[name]]
    for name in wanting:
        assert any(fair_share(capacity, wants, name, turn) for turn in range(len(wanting)))
