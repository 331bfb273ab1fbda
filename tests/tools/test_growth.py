"""What a growing conversation costs: each text once, the beginning the same bytes, and room by the model's own count."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from exai_trio.providers.base import Usage
from exai_trio.providers.glm import glm_dialect
from exai_trio.providers.kimi import kimi_dialect
from exai_trio.providers.messages import encoded, messages_json
from exai_trio.tools.calibration import Calibration

TURNS = 20


async def talk(bench, count, **arguments):
    again = {}
    for number in range(count):
        bench.gateway.answer = {"text": f"<answer {number}>", "reasoning": f"<thought {number}>"}
        said = await bench.say(f"<question {number}>", **arguments, **again)
        if "continuation_offer" in said:
            again = {"continuation_id": said["continuation_offer"]["continuation_id"]}
    return again.get("continuation_id")


async def test_twenty_turns_send_each_earlier_text_once(bench):
    """Every request has every earlier question and answer exactly once: the n-th costs n, not 2^n."""
    await talk(bench, TURNS, model="glm-4.6")
    sizes = []
    for number, request in enumerate(bench.gateway.requests):
        said = "\n".join(message.text for message in request.messages)
        sizes.append(len(request.messages))
        for earlier in range(number):
            assert (said.count(f"<question {earlier}>"), said.count(f"<answer {earlier}>")) == (
                1,
                1,
            )

    assert [2 + 2 * number for number in range(TURNS)] == sizes


@pytest.mark.parametrize(
    ("model", "dialect", "whole"),
    [("glm-4.6", glm_dialect("https://x"), False), ("kimi-k2.6", kimi_dialect("https://x"), True)],
)
async def test_the_beginning_stays_the_same_bytes(bench, tmp_path, model, dialect, whole):
    """As the provider receives it, each request begins with all of the one before, files included."""
    root = tmp_path.resolve()
    (root / "a.py").write_text("x = 1\n" * 50)
    bench.caller.roots = (root,)
    await talk(bench, 8, model=model, files=[str(root)])
    bodies = [
        encoded({"messages": messages_json(request.messages, whole=whole)}).removesuffix(b"]}")
        for request in bench.gateway.requests
    ]
    facts = bench.gateway.choose(model).model
    first = encoded(dialect.chat_body(bench.gateway.requests[0], facts))

    assert bodies[0].removeprefix(b'{"messages":') in first
    for before, after in pairwise(bodies):
        assert after.startswith(before)


async def test_an_answer_teaches_how_the_model_counts(bench):
    """What the provider counted moves the estimate for that model, and only for it; the turn keeps the numbers."""
    bench.gateway.answer = {"usage": Usage(input_tokens=1500, output_tokens=7)}
    said = await bench.say("word " * 600, model="glm-4.6")
    turns = (await bench.store.load(said["continuation_offer"]["continuation_id"], 0)).turns

    assert 1.3 < bench.calibration.factor("glm/glm-4.6") < 1.5
    assert bench.calibration.factor("glm/glm-4.5") == 1.0
    assert {"input_tokens": 1500, "output_tokens": 7} == turns[-1].extra["usage"]


async def test_a_model_that_counts_more_gets_less(bench):
    """History is left out by the model's own count, and the note says so."""
    again = ""
    for number in range(4):
        more = {"continuation_id": again} if again else {}
        said = await bench.say("word " * 9_000 + str(number), model="glm-4.5v", **more)
        again = said["continuation_offer"]["continuation_id"]
    before = len(bench.gateway.requests[-1].messages)
    bench.calibration.learn("glm/glm-4.5v", 1000, 1990)
    await bench.say("and now?", continuation_id=again)
    after = bench.gateway.requests[-1].messages

    assert len(after) < before + 2
    assert "left out" in after[0].text


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))))
def test_odd_counts_never_move_it_far(samples):
    """Whatever providers claim, the factor stays within what is plausible."""
    calibration = Calibration()
    for estimated, counted in samples:
        calibration.learn("m", estimated, counted)

    assert 0.3 <= calibration.factor("m") <= 2.0
