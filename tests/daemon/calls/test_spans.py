"""Where the time of a call went: spans that overlap count once, costs that are not known are not 0."""

import attrs
import pytest

from exai_trio.daemon.calls.spans import SEVERAL, Spent, added, covered

SPENT = Spent(
    model="glm-4.6",
    input_tokens=5,
    cached_tokens=1,
    output_tokens=2,
    reasoning_tokens=1,
    cost=0.5,
    currency="USD",
)


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(1, 2), (4, 6)], 3),
        ([(1, 4), (2, 3)], 3),
        ([(2, 5), (1, 3)], 4),
        ([(1, 2), (1, 2)], 1),
    ],
)
def test_requests_at_the_same_time_count_once(spans, seconds):
    assert seconds == covered(spans)


def test_answers_are_added_up():
    other = attrs.evolve(SPENT, model="kimi-k2.6")

    whole = added([SPENT, SPENT])

    assert ("glm-4.6", 10, 1.0, "USD") == (
        whole.model, whole.input_tokens, whole.cost, whole.currency,
    )  # fmt: skip
    assert SEVERAL == added([SPENT, other]).model


@pytest.mark.parametrize("other", [{"cost": None}, {"currency": "CNY"}])
def test_a_sum_of_what_is_not_known_is_not_known(other):
    """A model without a price makes the whole cost unknown, and so do two currencies."""
    assert added([SPENT, attrs.evolve(SPENT, **other)]).cost is None
