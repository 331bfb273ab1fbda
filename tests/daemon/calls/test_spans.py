"""Where the time of a call went: requests that overlap count once, costs that are not known are not 0, waits follow each other."""

import pytest
from msgspec.structs import replace

from exai_trio.daemon.calls.spans import MOST_SPANS, SEVERAL, Spent, Waits, added, covered, spans_of
from exai_trio.observability.events import RequestEnded

REQUEST = RequestEnded(
    provider="glm",
    model="glm-4.6",
    outcome="ok",
    permit_wait_s=0.5,
    duration_s=4.0,
    connected_s=0.25,
    first_chunk_s=1.0,
    first_text_s=2.0,
    input_tokens=5,
    cached_tokens=1,
    output_tokens=2,
    reasoning_tokens=1,
    cost=0.5,
    currency="USD",
)
UNCOUNTED = dict.fromkeys(
    ["input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost"]
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


def test_requests_are_added_up():
    other = replace(REQUEST, model="kimi-k2.6")

    whole = added([REQUEST, REQUEST])

    assert ("glm-4.6", 10, 1.0, "USD") == (
        whole.model, whole.input_tokens, whole.cost, whole.currency,
    )  # fmt: skip
    assert SEVERAL == added([REQUEST, other]).model
    assert Spent() == added([])


@pytest.mark.parametrize("other", [{"cost": None}, {"currency": "CNY"}, UNCOUNTED])
def test_a_sum_of_what_is_not_known_is_not_known(other):
    """A model without a price makes the whole cost unknown, and so do two currencies, and text that nobody counted."""
    assert added([REQUEST, replace(REQUEST, **other)]).cost is None


def test_a_request_without_a_piece_costs_nothing():
    """A refused attempt before the one that was answered: the cost is known."""
    refused = replace(REQUEST, **UNCOUNTED, outcome="busy", first_chunk_s=None, first_text_s=None)

    assert 0.5 == added([refused, REQUEST]).cost


def test_the_waits_of_a_request_follow_each_other():
    """What was never reached was waited for until the end."""
    cut = replace(REQUEST, first_text_s=None)
    names = [(span.name, span.began_ms, span.ended_ms) for span in spans_of(REQUEST, 5.0, "")]

    assert [
        ("provider permit", 500, 1000), ("connecting", 1000, 1250), ("first chunk", 1250, 2000),
        ("thinking", 2000, 3000), ("streaming", 3000, 5000),
    ] == names  # fmt: skip
    assert "thinking" == spans_of(cut, 5.0, "")[-1].name


def test_a_call_has_so_many_spans_at_most():
    """Each with its model, where several are asked."""
    other = replace(REQUEST, model="kimi-k2.6")
    waits = Waits(requests=[(one, 5.0) for one in [REQUEST, other] * 20])
    spans = waits.all_spans()

    assert MOST_SPANS == len(spans)
    assert {"glm-4.6", "kimi-k2.6"} == {span.branch for span in spans}
