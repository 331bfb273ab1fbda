"""The verdict on a tool: from its calls, where there are enough of them over days enough."""

import pytest
from msgspec.structs import replace

from exai_trio.observability.events import CallEnded
from exai_trio.observability.tool_usage import DAY_S, Verdict, percentile, usage_of_tools

NOW = 100 * DAY_S
CALL = CallEnded(
    id="c", correlation_id="c", session="s", tool="chat", principal="owner", project="", provider="", model="",
    code="", category="", attempt=1, started_at=NOW, duration_ms=1.0, permit_wait_ms=0.0, provider_wait_ms=0.0,
    with_provider_ms=0.0, first_chunk_ms=None, requests=0, input_tokens=None, cached_tokens=None,
    output_tokens=None, reasoning_tokens=None, cost=None, currency="",
)  # fmt: skip


def calls(tool, count, *, oldest=20.0, newest=0.0, **more):
    """So many calls of a tool, spread from so many days ago to so many days ago."""
    step = (oldest - newest) / count
    return [
        replace(CALL, tool=tool, started_at=NOW - (newest + step * (number + 1)) * DAY_S, **more)
        for number in range(count)
    ]


def verdicts(found, names=("chat", "planner"), days=30):
    return {usage.tool: usage.verdict for usage in usage_of_tools(found, names, NOW, days)}


CROWD = calls("chat", 300)


def test_a_tool_that_nobody_calls_is_dead_and_one_in_use_is_healthy():
    assert {"chat": Verdict.HEALTHY, "planner": Verdict.DEAD} == verdicts(CROWD)


@pytest.mark.parametrize(
    "found",
    [
        [],
        calls("chat", 199),
        calls("chat", 500, oldest=13.9),
        calls("chat", 500, oldest=40, newest=31),
    ],
    ids=["none", "199 calls", "13.9 days", "all before the time"],
)
def test_without_data_there_is_no_verdict(found):
    """Under 200 calls, or calls of less than 14 days, nothing is said of any tool."""
    assert {Verdict.TOO_LITTLE} == set(verdicts(found).values())


def test_a_tool_that_is_called_less_and_less_is_dying():
    """Less than a quarter as often in the newer half of the time; with few calls that may be chance."""
    fading = [*calls("planner", 10, oldest=29, newest=16), *calls("planner", 2, oldest=10)]
    rare = calls("planner", 3, oldest=29, newest=16)

    assert Verdict.DYING == verdicts([*CROWD, *fading])["planner"]
    assert Verdict.HEALTHY == verdicts([*CROWD, *rare])["planner"]


def test_a_tool_that_fails_is_failing_but_not_for_what_its_callers_do():
    wrong = calls("planner", 10, code="VALIDATION_ERROR", category="validation")
    fails = calls("planner", 5, code="TIMEOUT", category="timeout")

    assert Verdict.HEALTHY == verdicts([*CROWD, *wrong])["planner"]
    assert Verdict.FAILING == verdicts([*CROWD, *fails])["planner"]


def test_figures_are_counted_and_prices_that_are_not_known_are_no_zeros():
    priced = calls("planner", 2, model="m", cost=0.5, currency="USD", session="a", duration_ms=10.0)
    unpriced = calls("planner", 1, model="m", session="b", duration_ms=90.0)
    (found,) = (
        each for each in usage_of_tools([*priced, *unpriced], [], NOW, 30) if each.tool == "planner"
    )

    assert (3, 2, {"USD": 1.0}, 1, 90.0) == (
        found.calls, found.sessions, found.cost, found.unpriced, found.p95_ms,
    )  # fmt: skip
    assert max(call.started_at for call in [*priced, *unpriced]) == found.last_used


def test_a_percentile_is_a_value_that_was_measured():
    assert (19, 20, 1) == (
        percentile(range(1, 21), 0.95), percentile(range(1, 22), 0.95), percentile([1], 0.95),
    )  # fmt: skip
