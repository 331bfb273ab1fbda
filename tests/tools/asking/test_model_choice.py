"""Which model is asked: by the size of the prompt, by images, by tools, and by what is configured."""

from base64 import b64encode

import attrs
import pytest

from exai_trio.errors import ArgumentError, PromptTooLongError
from exai_trio.providers.catalogue import Catalogue, ModelInfo, load_catalogue
from exai_trio.providers.routing import Router

REMEDIES = {"glm": "set GLM_API_KEY", "kimi": "set KIMI_API_KEY", "far": "set FAR_KEY"}
PICTURE = "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 8).decode()
LONG = "word " * 192_000  # 320,000 estimated tokens


def window(name):
    return load_catalogue().find(name).context_window


@pytest.mark.parametrize("configured", [("glm",), ("kimi",), ("glm", "kimi")])
@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize("tokens", [0, 50_000, 120_000, 180_000, 320_000, 700_000])
def test_auto_takes_what_fits(configured, images, tokens):
    """For every prompt that some configured model holds, auto takes one that holds it, and that sees what is to be seen."""
    router = Router(catalogue=load_catalogue(), configured=configured, remedies=REMEDIES)

    model = router.choose("auto", images=images, tools=True, prompt_tokens=tokens).model

    assert tokens <= model.context_window * 0.8
    assert model.sees or not images
    assert "tools" in model.capabilities


def test_auto_takes_the_largest_where_none_fits():
    """Then there is the most room, and the refusal is the truth."""
    router = Router(catalogue=load_catalogue(), configured=("glm",), remedies=REMEDIES)

    assert router.choose("auto", prompt_tokens=10**9).model.context_window == 1_000_000
    assert router.choose("auto", prompt_tokens=10**9, images=True).model.name == "glm-5.3-flash"


def test_auto_looks_at_tools():
    """A model that takes none is passed over where there is another."""
    plain = ModelInfo(name="plain", provider="far", context_window=9_000)
    able = ModelInfo(name="able", provider="far", context_window=9_000, capabilities=("tools",))
    router = Router(
        catalogue=Catalogue(models=(plain, able)), configured=("far",), remedies=REMEDIES
    )

    assert ("plain", "able") == tuple(
        router.choose("auto", tools=tools).model.name for tools in (False, True)
    )


@pytest.mark.parametrize("named", ["auto", "AUTO"])
async def test_a_long_prompt_for_auto(bench, named):
    """It goes to a model that holds it."""
    said = await bench.say(LONG, model=named)

    assert "success" in said["status"] or "continuation" in said["status"]
    assert window(bench.gateway.requests[0].model) >= 400_000


async def test_a_long_prompt_for_the_default(bench):
    """It goes to another model, and the answer says so."""
    said = await bench.say(LONG)

    assert window(bench.gateway.requests[0].model) >= 400_000
    assert "was asked instead" in said["metadata"]["notice"]


@pytest.mark.parametrize("configured", [("glm",), ("kimi",), ("glm", "kimi")])
async def test_a_long_prompt_for_a_named_model(bench, configured):
    """It is refused before anything is sent, in words that name models that hold it and are configured."""
    bench.gateway.configured = configured
    named = {"glm": "glm-4.6", "kimi": "kimi-k2.6"}[configured[0]]

    with pytest.raises(PromptTooLongError, match="would hold it") as fault:
        await bench.say(LONG * 2 if named == "kimi-k2.6" else LONG, model=named)

    known = load_catalogue()
    assert bench.gateway.requests == []
    assert named in fault.value.message
    assert fault.value.details["models"]
    for name in fault.value.details["models"]:
        assert known.find(name).context_window >= 400_000
        assert known.find(name).provider in configured


async def test_a_prompt_that_nobody_holds(bench):
    """It is refused without names."""
    with pytest.raises(PromptTooLongError) as fault:
        await bench.say(LONG * 12, model="auto")

    assert bench.gateway.requests == []
    assert "would hold" not in fault.value.message


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("kimi_chat_with_tools", {"messages": [LONG * 2], "model": "kimi-k2.6"}),
        ("kimi_capture_headers", {"messages": [LONG * 2], "model": "kimi-k2.6"}),
        ("kimi_intent_analysis", {"prompt": LONG * 2}),
    ],
)
async def test_every_tool_refuses_what_does_not_fit(bench, tool, arguments):
    """Whoever puts the messages together."""
    with pytest.raises(PromptTooLongError, match="would hold it"):
        await bench.call(tool, **arguments)

    assert bench.gateway.requests == []


async def test_kimis_usual_model_gives_way(bench):
    """Where no model is named, one of the same provider that holds the prompt is asked."""
    await bench.call("kimi_chat_with_tools", messages=[LONG])

    assert bench.gateway.requests[0].model.startswith("kimi-k3")


async def test_a_prompt_that_may_fit_is_sent(bench):
    """The estimate errs towards too many tokens, and an honest user is not refused for that."""
    await bench.say("word " * 140_000, model="glm-4.6")

    assert len(bench.gateway.requests) == 1


@pytest.mark.parametrize("named", ["auto", ""])
async def test_images_for_auto(bench, named):
    """They go to a model that sees."""
    await bench.say("what?", images=[PICTURE], model=named)

    assert load_catalogue().find(bench.gateway.requests[0].model).sees


@pytest.mark.parametrize("configured", [("glm",), ("glm", "kimi")])
async def test_images_for_a_model_that_does_not_see(bench, configured):
    """They are refused before anything is sent, naming configured models that see."""
    bench.gateway.configured = configured
    with pytest.raises(ArgumentError, match="Name a model that does") as fault:
        await bench.say("what?", images=[PICTURE], model="glm-4.6")

    assert bench.gateway.requests == []
    assert "glm-5v-turbo" in fault.value.message


@pytest.mark.real
async def test_files_count_for_auto(bench, tmp_path):
    """Files that the usual model would leave out are shown to one that holds them; a named model leaves them out."""
    bench.caller.roots = (tmp_path.resolve(),)
    file = tmp_path.resolve() / "long.txt"
    file.write_text("some words\n" * 40_000)

    for named in ("auto", "glm-4.6"):
        await bench.say("why?", files=[str(file)], model=named)

    wide, narrow = (request.messages[-1].text for request in bench.gateway.requests)
    assert "some words" in wide
    assert "left out" in narrow


@pytest.mark.real
async def test_an_expert_for_auto(bench, tmp_path):
    """The expert of a workflow is chosen in the same way."""
    bench.caller.roots = (tmp_path.resolve(),)
    file = tmp_path.resolve() / "long.txt"
    file.write_text("some words\n" * 40_000)

    await bench.step("thinkdeep", 1, 1, relevant_files=[str(file)], model="auto")

    assert window(bench.gateway.requests[0].model) >= 300_000
    assert "some words" in bench.gateway.requests[0].messages[-1].text


@pytest.fixture
def local_bench(bench):
    """Where a model server of this machine is all there is."""
    small = ModelInfo(name="small", provider="mine", context_window=32_000, capabilities=("tools",))
    bench.gateway.configured = ("mine",)
    bench.gateway.known = load_catalogue().with_models([small])
    return bench


async def test_without_a_key_the_local_model_is_asked(local_bench):
    """Nobody asked for ours, so nothing is remarked; what the server has now was looked at."""
    said = await local_bench.say("why?")

    assert ("small", "mine") == (said["metadata"]["model_used"], said["metadata"]["provider_used"])
    assert "notice" not in said["metadata"]
    assert local_bench.gateway.looked


async def test_a_default_that_was_set_is_missed(local_bench):
    """Whoever has set DEFAULT_MODEL learns that another was asked."""
    local_bench.config = attrs.evolve(local_bench.config, default_model="kimi-k3")
    said = await local_bench.say("why?")

    assert (
        "kimi-k3 (DEFAULT_MODEL) is not configured; small was asked instead"
        == said["metadata"]["notice"]
    )


async def test_a_default_of_another_program_stops_nothing(bench):
    """DEFAULT_MODEL is a name that others use too: the answer says that it is unknown, and who was asked."""
    bench.config = attrs.evolve(bench.config, default_model="gpt-4o")
    said = await bench.say("why?")

    assert (
        "gpt-4o (DEFAULT_MODEL) is no model that EXAI knows; glm-4.6 was asked instead"
        == said["metadata"]["notice"]
    )


@pytest.mark.parametrize("named", [{}, {"model": "sma"}])
async def test_workflows_ask_the_local_model_too(local_bench, named):
    """At their end, with or without a part of its name."""
    last = await local_bench.step("debug", 1, 1, **named)

    assert ("small", "mine") == (last["metadata"]["model_used"], last["metadata"]["provider_used"])


@pytest.mark.parametrize(("counts", "said"), [(0.3, True), (0.9, False)])
async def test_a_prompt_that_was_cut_unasked_is_said(local_bench, counts, said):
    """A server that has counted far fewer tokens than it was sent has not read them, and nothing is learnt from its count."""
    unknown = ModelInfo(name="small", provider="mine", capabilities=("tools",))
    local_bench.gateway.known = load_catalogue().with_models([unknown])
    local_bench.gateway.counting["small"] = counts
    answer = await local_bench.say("word " * 8_000)

    assert said == ("seems to have cut the prompt" in answer["metadata"].get("notice", ""))
    assert said == ("mine/small" not in local_bench.calibration._seen)


async def test_a_short_prompt_is_not_said_to_be_cut(local_bench):
    """Templates and counts differ; nobody cuts so little."""
    unknown = ModelInfo(name="small", provider="mine")
    local_bench.gateway.known = load_catalogue().with_models([unknown])
    local_bench.gateway.counting["small"] = 0.1

    assert "cut the prompt" not in (await local_bench.say("why?"))["metadata"].get("notice", "")


async def test_with_a_key_the_vendors_model_is_the_default(local_bench):
    """Keys go before local models."""
    local_bench.gateway.configured = ("glm", "mine")
    said = await local_bench.say("why?")

    assert "glm-4.5-flash" == said["metadata"]["model_used"]
