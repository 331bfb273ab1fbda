"""What a growing conversation costs: each text once, and the beginning the same bytes."""

from itertools import pairwise

import pytest

from exai_trio.providers.dialects.glm import glm_dialect
from exai_trio.providers.dialects.kimi import kimi_dialect
from exai_trio.providers.dialects.request_body import encoded, messages_json

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
