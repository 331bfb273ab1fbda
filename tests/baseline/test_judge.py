"""Which runs count: an answer to this very call, right, known to the daemon, asked of the provider, as often as it should be."""

import json
import random

import attrs
import pytest
from baseline.client import Reply
from baseline.definitions import Definition
from baseline.judge import Seen, judged

DEFINITION = Definition(
    name="chat",
    kind=2,
    arguments={"prompt": "{marker}"},
    right={"contains": ["{marker}"], "fields": {"status": "success"}},
    requests={"/chat/completions": 1},
    limit=5,
)
ASKED = [{"method": "POST", "path": "/glm/api/paas/v4/chat/completions"}]


def answer(text, **more):
    output = {"type": "text", "text": text, "metadata": {"latency_metrics": {"processing_ms": 2.0}}}
    return {"op": "call_tool_res", "ok": True, "outputs": [output | more.pop("output", {})], **more}


def content(text, status="success"):
    return json.dumps({"status": status, "content": text})


def seen(frame, *, total_s=0.01, strange=0, requests=ASKED, row=None, is_written=True):
    reply = Reply(call_id="c", request_id="r", frame=frame, total_s=total_s, strange=strange)
    return Seen(
        definition=DEFINITION, holes={"marker": "m1"}, reply=reply, requests=requests,
        row={"with_provider_ms": 4.0} if row is None else row, is_written=is_written,
    )  # fmt: skip


def test_a_right_answer_counts_and_its_spans_are_kept():
    run = judged(seen(answer(content("it is m1"))))

    assert (True, "", True) == (run.ok, run.reason, run.right)
    assert (10.0, 6.0, 2.0, 1) == (run.total_ms, run.own_ms, run.processing_ms, run.requests)


def planted(number):
    """One of 200 answers that are none, in turn of each kind."""
    dice = random.Random(number)  # noqa: S311
    foreign = f"m2{dice.randrange(10, 99)}"
    error = {
        "code": dice.choice(["PROVIDER_ERROR", "TIMEOUT", "INTERNAL_ERROR"]),
        "message": "m1",
        "category": "provider",
    }
    kinds = [
        lambda: seen({"op": "call_tool_res", "ok": False, "error": error}),
        lambda: seen(answer(content("m1", status="error"))),
        lambda: seen(answer("error: m1 could not be asked")),
        lambda: seen(answer(content(f"the answer of another, {foreign}"))),
        lambda: seen(answer(content("m1")), strange=dice.randrange(1, 4)),
        lambda: seen(answer(content("m1")), requests=[]),
        lambda: seen(answer(content("m1")), requests=ASKED * dice.randrange(2, 5)),
        lambda: seen(
            answer(content("m1")),
            requests=[{"method": "POST", "path": "/glm/api/paas/v4/web_search"}],
        ),
        lambda: seen(answer(content("m1")), is_written=False),
        lambda: seen(None, total_s=6.0),
        lambda: seen(answer(content("m1")), total_s=5.5),
        lambda: seen(answer(content("m1"), output={"metadata": {"handle": "call_1"}})),
        lambda: seen(answer(content("m1")) | {"ok": False}),
        lambda: seen({"op": "call_tool_res", "ok": True, "outputs": []}),
        lambda: seen(answer("")),
        lambda: seen(answer(json.dumps(["m1"]))),
    ]
    return kinds[number % len(kinds)]()


def test_none_of_200_planted_answers_counts():
    """Error frames, errors in answers, foreign and cached ones, late ones, what the journal or the provider does not know."""
    runs = [judged(planted(number)) for number in range(200)]
    assert [] == [run for run in runs if run.ok]
    assert all(run.reason for run in runs)


@pytest.mark.parametrize(
    ("method", "path", "ok"),
    [
        ("GET", "/kimi/v1/models", True),
        ("GET", "/kimi/v1/files", True),
        ("POST", "/kimi/v1/files", False),
    ],
)
def test_a_list_is_nobodys_request(method, path, ok):
    """The daemon asks for models and for files by itself."""
    extra = [*ASKED, {"method": method, "path": path}]
    assert ok == judged(seen(answer(content("m1")), requests=extra)).ok


def test_without_the_providers_log_its_count_of_tokens_is_asked_for():
    one = seen(answer(content("m1")), requests=None)
    told = attrs.evolve(
        one, reply=attrs.evolve(one.reply, frame=answer(content("m1"), usage={"input_tokens": 3}))
    )

    assert (False, True) == (judged(one).ok, judged(told).ok)


@pytest.mark.parametrize(("row", "own"), [({}, None), ({"with_provider_ms": 99.0}, 0.0)])
def test_our_own_part_is_told_only_where_the_providers_is_known(row, own):
    assert own == judged(seen(answer(content("m1")), row=row)).own_ms
