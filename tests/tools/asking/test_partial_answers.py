"""What the tools make of an answer that a deadline has cut: they give it, say so, and keep it."""

import attrs
import jsonschema
import pytest
import trio

from exai_trio.errors import CallTimeoutError
from exai_trio.tools.base import OUTPUT_SCHEMA

CUT = {"text": "half of it", "cut": "GLM: too late", "notice": "GLM: too late; this came"}


async def test_chat_gives_and_keeps_what_came(bench):
    """A status and a notice say that it was cut; the conversation has it, and goes on."""
    bench.gateway.answer = CUT
    said = await bench.say("why?")
    jsonschema.validate(said, OUTPUT_SCHEMA)
    bench.gateway.answer = {}
    again = said["continuation_offer"]["continuation_id"]
    await bench.say("go on", continuation_id=again)
    texts = [message.text for message in bench.gateway.requests[-1].messages]

    assert ("partial", "half of it") == (said["status"], said["content"])
    assert (True, CUT["notice"]) == (said["metadata"]["partial"], said["metadata"]["notice"])
    assert any("half of it" in text for text in texts)


async def test_counts_are_not_learnt_from_it(bench):
    """Its tokens were never counted."""
    bench.gateway.answer = CUT
    for _ in range(5):
        await bench.say("why? " * 5_000)

    assert 1.0 == bench.calibration.factor("glm/glm-4.5-flash")


async def test_an_expert_that_was_cut_has_judged(bench):
    """The investigation ends with what it said, and its status says that this is not all."""
    bench.gateway.answer = CUT
    said = await bench.step("debug", 1, 1)

    assert ("partial", "half of it") == (
        said["expert_analysis"]["status"],
        said["expert_analysis"]["content"],
    )
    assert (True, CUT["notice"]) == (said["metadata"]["partial"], said["metadata"]["notice"])
    turns = await bench.store.load(said["continuation_id"], bench.clock.now)
    assert "half of it" == turns.turns[-1].text


async def test_an_expert_that_speaks_is_heard_out(bench, autojump_clock):
    """EXPERT_ANALYSIS_TIMEOUT_SECS is the time in which it must begin."""
    bench.config = attrs.evolve(bench.config, expert_analysis_timeout_secs=7.0)
    bench.gateway.slow["glm-4.5-flash"] = 6.0
    bench.gateway.speaking["glm-4.5-flash"] = 200.0
    said = await bench.step("debug", 1, 1)

    assert ("the answer", 206) == (
        said["expert_analysis"]["content"],
        pytest.approx(trio.current_time(), abs=1),
    )


async def test_an_expert_that_is_silent_is_not(bench, autojump_clock):
    """Its setting still ends the wait."""
    bench.config = attrs.evolve(bench.config, expert_analysis_timeout_secs=7.0)
    bench.gateway.slow["glm-4.5-flash"] = 8.0
    with pytest.raises(CallTimeoutError, match="EXPERT_ANALYSIS_TIMEOUT_SECS"):
        await bench.step("debug", 1, 1)


async def test_a_panel_hears_out_whoever_speaks(bench, autojump_clock):
    """One has begun in time and one has not: the first is waited for, the other is late."""
    bench.config = attrs.evolve(bench.config, expert_analysis_timeout_secs=5.0)
    bench.gateway.slow = {"glm-4.6": 4.0, "kimi-k2.6": 6.0}
    bench.gateway.speaking = {"glm-4.6": 100.0}
    said = await bench.step("consensus", 1, 1, models=["glm-4.6", "kimi-k2.6"])
    told = {one["model"]: one["status"] for one in said["expert_analysis"]["responses"]}

    assert {"glm-4.6": "answered", "kimi-k2.6": "late"} == told
    assert pytest.approx(104, abs=1) == trio.current_time()


async def test_a_panel_says_who_was_cut(bench):
    """What was cut is among the answers, and named."""
    bench.gateway.answers = {"glm-4.6": CUT}
    said = await bench.step("consensus", 1, 1, models=["glm-4.6", "kimi-k2.6"])

    assert ("partial", True) == (said["expert_analysis"]["status"], said["metadata"]["partial"])
    assert "cut off: glm-4.6: GLM: too late" == said["metadata"]["notice"]
    assert 2 == said["metadata"]["models_answered"]
