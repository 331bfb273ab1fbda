"""consensus: all at once, each blind to the others, nobody's failure the others' loss."""

import attrs
import pytest
import trio

from exai_trio.errors import (
    ArgumentError,
    NotFoundError,
    ProviderBusyError,
    ToolFailedError,
)
from exai_trio.tools.workflow.panel.opinions import compared, verdict_of

THREE = [
    {"model": "glm-4.6", "stance": "for"},
    {"model": "kimi-k2.6", "stance": "against", "stance_prompt": "THINK-OF-COST"},
    {"model": "glm-4.5-flash"},
]


async def ask(bench, models=THREE, **arguments):
    return await bench.step("consensus", 1, 1, models=models, **arguments)


def by_model(said):
    return {each["model"]: each for each in said["expert_analysis"]["responses"]}


async def test_all_are_asked_at_the_same_time(bench, autojump_clock):
    """Three models of 2 s each take 2 s together."""
    bench.gateway.slow = dict.fromkeys(["glm-4.6", "kimi-k2.6", "glm-4.5-flash"], 2.0)
    began = trio.current_time()
    said = await ask(bench)

    assert trio.current_time() - began < 2.5
    assert said["status"] == "consensus_workflow_complete"
    assert ["answered"] * 3 == [each["status"] for each in by_model(said).values()]
    assert said["usage"] == {
        "input_tokens": 300,
        "output_tokens": 60,
        "cached_tokens": 192,
        "cost_usd": pytest.approx(0.003),
        "currency": "USD",
    }


async def test_each_is_blind(bench):
    """No model sees another's answer nor the agent's own view; each has its stance and the shared question."""
    bench.gateway.answers = {name: {"text": f"SAID-BY-{name}"} for name in ("glm-4.6", "kimi-k2.6")}
    await ask(bench, step="SHALL-WE?", findings="MY-VIEW")
    texts = {r.model: "\n".join(m.text for m in r.messages) for r in bench.gateway.requests}
    everything = "".join(texts.values())

    assert ["SHALL-WE?" in text for text in texts.values()] == [True] * 3
    assert not [word for word in ("SAID-BY", "MY-VIEW") if word in everything]
    assert "strongest honest case for" in texts["glm-4.6"]
    assert "strongest honest case against" in texts["kimi-k2.6"]
    assert "honest refusal goes before" in texts["glm-4.6"]
    assert ["THINK-OF-COST" in texts[name] for name in texts] == [
        name == "kimi-k2.6" for name in texts
    ]
    assert len({r.idempotency_key for r in bench.gateway.requests}) == 3


async def test_who_is_late_or_fails_is_named_and_the_others_count(bench, autojump_clock):
    """At the deadline the answers that are there are given; the late and the failed are named with the reason."""
    bench.config = attrs.evolve(bench.config, expert_analysis_timeout_secs=5.0)
    bench.gateway.slow = {"glm-4.6": 1000}
    bench.gateway.faults = {"kimi-k2.6": ProviderBusyError("It is busy.")}
    said = await ask(bench)
    heard = by_model(said)

    assert ("late", "failed", "answered") == tuple(heard[m["model"]]["status"] for m in THREE)
    assert "It is busy." in heard["kimi-k2.6"]["reason"]
    assert said["metadata"]["partial"] is True
    assert "glm-4.6 (for): no answer by the deadline" in said["metadata"]["notice"]
    assert said["expert_analysis"]["status"] == "partial"
    assert trio.current_time() < 6


async def test_an_earlier_deadline_of_the_call_counts(bench, autojump_clock):
    """If the call itself has less time, the partial answer comes a little before that ends."""
    bench.gateway.slow = {"glm-4.6": 1000}
    with trio.fail_after(20):
        said = await ask(bench)

    assert by_model(said)["glm-4.6"]["status"] == "late"
    assert trio.current_time() < 20


@pytest.mark.parametrize("answer", [{"text": ""}, {"finish_reason": "length"}])
async def test_an_empty_or_cut_answer_is_none(bench, answer):
    """Such a model has failed, by name."""
    bench.gateway.answers = {"glm-4.6": answer}

    assert by_model(await ask(bench))["glm-4.6"]["status"] == "failed"


async def test_if_nobody_answers_the_call_fails_and_the_step_is_kept(bench):
    """All failed: an error with every reason, and the same step can be sent again."""
    bench.gateway.fault = ProviderBusyError("It is busy.")
    with pytest.raises(ToolFailedError, match="None of the models") as fault:
        await ask(bench)
    bench.gateway.fault = None
    said = await ask(bench, continuation_id=fault.value.details["continuation_id"])

    assert len(fault.value.details["models"]) == 3
    assert said["status"] == "consensus_workflow_complete"


async def test_the_models_of_the_first_step_are_asked_at_the_last(bench):
    """Models are named once; between the steps nobody is asked, and the answer says who will be."""
    first = await bench.step("consensus", 1, 2, models=THREE)
    before = len(bench.gateway.requests)
    await bench.call(
        "consensus",
        step="go",
        step_number=2,
        total_steps=2,
        next_step_required=False,
        continuation_id=first["continuation_id"],
    )

    assert first["consensus_status"]["models_to_ask"] == [
        "glm-4.6 (for)",
        "kimi-k2.6 (against)",
        "glm-4.5-flash",
    ]
    assert (0, 3) == (before, len(bench.gateway.requests))


@pytest.mark.parametrize(
    "models",
    [
        [],
        [{"stance": "for"}],
        [{"model": "glm-4.6", "stance": "maybe"}],
        ["glm-4.6", "glm-4.6"],
        [5],
        [f"glm-{n}" for n in range(11)],
    ],
)
async def test_a_panel_that_cannot_be_asked_is_refused(bench, models):
    """No models, no name, an unknown stance, the same twice, too many: a VALIDATION_ERROR naming `models`, nothing kept."""
    with pytest.raises(ArgumentError) as fault:
        await ask(bench, models=models)

    assert fault.value.details["field"] == "models"
    assert not bench.store._steps


async def test_an_unknown_model_is_refused_before_anything(bench):
    """A misspelt name is NOT_FOUND at the first step, with near names."""
    with pytest.raises(NotFoundError, match="kimi-k2"):
        await bench.step("consensus", 1, 2, models=["glm-4.6", "kimmi-k2.6"])

    assert not bench.store._steps


async def test_one_name_as_text_is_a_panel_of_one(bench):
    """A text where the list is meant is taken."""
    said = await ask(bench, models="glm-4.6")

    assert list(by_model(said)) == ["glm-4.6"]


async def test_the_thread_goes_on_with_the_opinions(bench):
    """A chat after it sees what each model said."""
    bench.gateway.answers = {"glm-4.6": {"text": "GLM-SAYS"}, "kimi-k2.6": {"text": "KIMI-SAYS"}}
    again = (await ask(bench))["continuation_id"]
    await bench.say("so?", continuation_id=again)
    said = bench.gateway.requests[-1].messages[2].text

    assert "GLM-SAYS" in said
    assert "KIMI-SAYS" in said


async def test_cancelling_ends_every_leg(bench, cancel_at_every_step):
    """Wherever a consensus is cut, its scope ends; nothing goes on asking."""
    running = []

    async def chat_for_ever():
        running.append(1)
        try:
            await ask(bench)
        finally:
            running.pop()

    await cancel_at_every_step(chat_for_ever, lambda: None)

    assert not running


def answer(verdict, *points):
    return "\n".join([f"Verdict: {verdict}. Because.", *(f"- {point}" for point in points)])


def test_what_is_common_and_what_is_not():
    """Points that share most of their words count as one; verdicts stand by name."""
    found = compared(
        {
            "a": answer("for", "Migration of the schema is risky", "Latency improves clearly"),
            "b": answer(
                "against", "The schema migration is too risky", "Nobody asked for this feature"
            ),
        }
    )

    assert {"a": "for", "b": "against"} == found["verdicts"]
    assert [{"point": "Migration of the schema is risky", "models": ["a", "b"]}] == found[
        "agree_on"
    ]
    assert [("Latency improves clearly", ["a"]), ("Nobody asked for this feature", ["b"])] == [
        (each["point"], each["models"]) for each in found["differ_on"]
    ]
    assert found["unanimous"] is False


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Verdict: for, since", "for"),
        ("**Verdict:** Against", "against"),
        ("verdict - mixed", "mixed"),
        ("Verdict: forget it", ""),
        ("I like it", ""),
    ],
)
def test_verdicts_are_found_as_models_write_them(text, verdict):
    """A verdict is read in any emphasis; without one there is none."""
    assert verdict == verdict_of(text)


def test_unanimous_needs_verdicts_of_more_than_one():
    """One model is no consensus, nor are answers without a verdict."""
    assert compared({"a": answer("for")})["unanimous"] is False
    assert compared({"a": "hm", "b": "hm"})["unanimous"] is False
    assert compared({"a": answer("for"), "b": answer("for")})["unanimous"] is True
