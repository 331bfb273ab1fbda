"""chat: what the model is sent, what the caller gets, and how a conversation goes on."""

import json
import uuid
from pathlib import Path

import attrs
import jsonschema
import pytest
import trio

from exai_trio.config import Config
from exai_trio.errors import (
    ArgumentError,
    NotFoundError,
    ProviderBusyError,
    ServiceUnavailableError,
    StorageError,
)
from exai_trio.providers.dialects.glm import glm_dialect
from exai_trio.providers.dialects.kimi import kimi_dialect
from exai_trio.providers.dialects.request_body import encoded
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.tools.base import OUTPUT_SCHEMA

GOLDEN = Path(__file__).parent / "golden"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


def texts(request):
    return [message.text for message in request.messages]


async def test_an_answer_has_the_shape_that_clients_read(bench):
    """The text is JSON of the same object as the structured content, with model, usage and the offer to go on."""
    answer = await bench.call("chat", prompt="why?", model="glm-4.6")
    said = json.loads(answer.text)
    offered = said["continuation_offer"]
    jsonschema.validate(said, OUTPUT_SCHEMA)

    assert said == answer.structured
    assert ("continuation_available", "the answer", "text") == (
        said["status"],
        said["content"],
        said["content_type"],
    )
    assert {
        "tool_name": "chat",
        "conversation_ready": True,
        "model_used": "glm-4.6",
        "provider_used": "glm",
    } == said["metadata"]
    assert uuid.UUID(offered["continuation_id"]).version == 4
    assert offered["remaining_turns"] == 19
    assert (
        {
            "input_tokens": 100,
            "output_tokens": 20,
            "cached_tokens": 64,
            "cost_usd": 0.001,
            "currency": "USD",
        }
        == said["usage"]
        == answer.usage
    )


async def test_arguments_reach_the_request(bench):
    """What the caller sets is what the provider is asked with; keys are the call's and the conversation's."""
    said = await bench.say(
        "why?", model="glm-4.6", temperature=0.1, thinking_mode="high", use_websearch=False
    )
    (request,) = bench.gateway.requests

    assert ("glm-4.6", 0.1, "high", False) == (
        request.model,
        request.temperature,
        request.thinking,
        request.web_search,
    )
    assert request.idempotency_key == "s1:r1"
    assert request.cache_key == said["continuation_offer"]["continuation_id"]
    assert ["streaming"] == [each[0] for each in bench.caller.said if isinstance(each, tuple)]


async def test_a_conversation_goes_on(bench):
    """With its id the earlier turns are sent under their roles, each once; the id stays, the turns count down."""
    first = await bench.say("one?")
    again = first["continuation_offer"]["continuation_id"]
    second = await bench.say("two?", continuation_id=again)
    third = await bench.say("three?", continuation_id=again)
    sent = [(m.role, m.text) for m in bench.gateway.requests[-1].messages[1:]]

    assert [
        ("user", "one?"),
        ("assistant", "the answer"),
        ("user", "two?"),
        ("assistant", "the answer"),
        ("user", "three?"),
    ] == sent
    assert again == second["continuation_offer"]["continuation_id"]
    assert [19, 18, 17] == [
        said["continuation_offer"]["remaining_turns"] for said in (first, second, third)
    ]
    assert 1 == len({request.cache_key for request in bench.gateway.requests})


async def test_the_model_that_answered_last_is_asked_again(bench):
    """A continued conversation stays with its model; naming another moves it there, reasoning stays behind."""
    bench.gateway.answer = {"reasoning": "hm"}
    again = (await bench.say("one", model="kimi-k2.6"))["continuation_offer"]["continuation_id"]
    for more in ({}, {"model": "glm-4.6"}, {}):
        await bench.say("more", continuation_id=again, **more)

    assert ["kimi-k2.6", "kimi-k2.6", "glm-4.6", "glm-4.6"] == [
        request.model for request in bench.gateway.requests
    ]
    assert [["hm"], ["", ""], ["", "", "hm"]] == [
        [m.reasoning for m in request.messages if m.role == "assistant"]
        for request in bench.gateway.requests[1:]
    ]


async def test_the_name_the_provider_reports_does_not_move_the_conversation(bench):
    """A provider that answers under a dated name is asked again under the name that was chosen."""
    bench.gateway.answer = {"model_used": "glm-4.6-2026-09"}
    first = await bench.say("one", model="glm-4.6")
    again = first["continuation_offer"]["continuation_id"]
    await bench.say("two", continuation_id=again)

    assert first["metadata"]["model_used"] == "glm-4.6-2026-09"
    assert first["metadata"]["model_requested"] == "glm-4.6"
    assert bench.gateway.requests[-1].model == "glm-4.6"


@pytest.mark.parametrize("known", [False, True])
async def test_unknown_and_expired_conversations_say_what_to_do(bench, known):
    """A continuation_id that is unknown or expired is NOT_FOUND with a remedy, and no model is asked."""
    again = str(uuid.uuid4())
    if known:
        again = (await bench.say("one"))["continuation_offer"]["continuation_id"]
        bench.clock.now += 24 * 3600
        bench.gateway.requests.clear()
    with pytest.raises(NotFoundError, match="Leave continuation_id out") as fault:
        await bench.say("two", continuation_id=again)

    assert fault.value.details["field"] == "continuation_id"
    assert bench.gateway.requests == []


async def test_a_turn_extends_the_life_of_its_conversation(bench):
    """A conversation expires after its last turn, not after its first."""
    again = (await bench.say("one"))["continuation_offer"]["continuation_id"]
    for _ in range(3):
        bench.clock.now += 23 * 3600
        await bench.say("more", continuation_id=again)

    assert len(texts(bench.gateway.requests[-1])) == 8


async def test_conversations_have_an_end(bench):
    """The last exchange makes no offer; after it the id is refused naming the setting."""
    bench.config = attrs.evolve(bench.config, max_conversation_turns=2)
    again = (await bench.say("one"))["continuation_offer"]["continuation_id"]
    last = await bench.say("two", continuation_id=again)
    with pytest.raises(ArgumentError, match="MAX_CONVERSATION_TURNS"):
        await bench.say("three", continuation_id=again)

    assert last["status"] == "success"
    assert "continuation_offer" not in last
    assert last["metadata"]["conversation_ready"] is False


async def test_a_failed_call_leaves_the_conversation_as_it_was(bench):
    """Only success adds to a conversation; the same question can simply be asked again."""
    again = (await bench.say("one"))["continuation_offer"]["continuation_id"]
    bench.gateway.fault = ProviderBusyError("busy")
    with pytest.raises(ProviderBusyError):
        await bench.say("two", continuation_id=again)
    bench.gateway.fault = None
    said = await bench.say("two", continuation_id=again)

    assert said["continuation_offer"]["remaining_turns"] == 18
    assert ["one", "the answer", "two"] == texts(bench.gateway.requests[-1])[1:]


class CancelAtStep(trio.abc.Instrument):
    def __init__(self, scope, step):
        self.scope, self.left = scope, step

    def after_task_step(self, task):
        self.left -= 1
        if self.left == 0:
            self.scope.cancel(reason="test")


async def test_a_cancelled_call_leaves_whole_exchanges(bench):
    """Wherever a call is cancelled, its conversation has the exchange or does not, never a question without answer."""
    again = (await bench.say("one"))["continuation_offer"]["continuation_id"]
    step, completed, kept = 0, False, set()
    while not completed:
        step += 1
        with trio.CancelScope() as scope:
            instrument = CancelAtStep(scope, step)
            trio.lowlevel.add_instrument(instrument)
            try:
                await bench.say("two", continuation_id=again)
            finally:
                trio.lowlevel.remove_instrument(instrument)
        completed = not scope.cancel_called
        found = await bench.store.load(again, bench.clock.now)
        kept.add(len(found.turns) % 2)

    assert step > 2
    assert {0} == kept


async def test_files_are_read_while_the_conversation_is_looked_for(bench, tmp_path, monkeypatch):
    """Another machine may have gone on with it, which takes a second to be found out."""
    bench.caller.roots = (tmp_path.resolve(),)
    path = tmp_path.resolve() / "a.py"
    path.write_text("print()")
    first = await bench.say("first", model="glm-4.6")
    read, load = trio.Event(), MemoryStore.load

    async def look(store, *asked):
        with trio.fail_after(5):
            await read.wait()
        return await load(store, *asked)

    reading = type(bench.services.files).read

    async def told(files, *asked):
        found = await reading(files, *asked)
        read.set()
        return found

    monkeypatch.setattr(MemoryStore, "load", look)
    monkeypatch.setattr(type(bench.services.files), "read", told)
    again = first["continuation_offer"]["continuation_id"]

    assert await bench.say("second", files=[str(path)], continuation_id=again, model="glm-4.6")


class BrokenStore(MemoryStore):
    async def append(self, *_given):
        await trio.lowlevel.checkpoint()
        raise StorageError("disk full")


async def test_a_broken_store_costs_the_conversation_not_the_answer(bench, caplog):
    """An answer that was paid for is given even if it cannot be kept, and says that it was not."""
    bench.store = BrokenStore()
    said = await bench.say("why?")

    assert said["content"] == "the answer"
    assert said["status"] == "success"
    assert "could not be stored" in said["metadata"]["notice"]
    assert len(caplog.records) == 1


async def test_the_default_model_is_asked(bench):
    """Without a name it is DEFAULT_MODEL, and nothing needs to be said about it."""
    said = await bench.say("why?")

    assert ("glm-4.5-flash", "glm") == (
        said["metadata"]["model_used"],
        said["metadata"]["provider_used"],
    )
    assert not {"notice", "model_requested"} & said["metadata"].keys()


async def test_another_than_the_default_is_named(bench):
    """Where the default's provider has no key the router's choice answers, and the answer says so."""
    bench.gateway.configured = ("kimi",)
    said = await bench.say("why?")

    assert said["metadata"]["provider_used"] == "kimi"
    assert "glm-4.5-flash" in said["metadata"]["notice"]


async def test_a_named_model_is_never_replaced(bench):
    """A model that was named and whose provider has no key fails naming the variable; an unknown one names the nearest."""
    bench.gateway.configured = ("kimi",)
    with pytest.raises(ServiceUnavailableError, match="GLM_API_KEY"):
        await bench.say("why?", model="glm-4.6")
    with pytest.raises(NotFoundError, match="kimi-k"):
        await bench.say("why?", model="kimmi-k2.6")

    assert bench.gateway.requests == []


async def test_without_any_provider_the_variables_are_named(bench):
    """With no key at all the refusal names every variable that would help."""
    bench.gateway.configured = ()
    with pytest.raises(ServiceUnavailableError, match=r"GLM_API_KEY.*KIMI_API_KEY"):
        await bench.say("why?")


async def test_gone_models_are_answered_by_their_successor_and_say_so(bench):
    """The answer of a successor carries what was asked for, what answered and why."""
    said = await bench.say("why?", model="kimi-k2-0905-preview")

    assert said["metadata"]["model_requested"] == "kimi-k2-0905-preview"
    assert said["metadata"]["model_used"] != "kimi-k2-0905-preview"
    assert "no longer offered" in said["metadata"]["notice"]


async def test_simulated_answers_and_sources_are_marked(bench):
    """Answers of the simulator say so; web results are given as sources, title and link only."""
    bench.gateway.answer = {
        "simulated": True,
        "cost": 2.0,
        "currency": "CNY",
        "web_results": ({"title": "T", "link": "https://t.example", "content": "long"},),
    }
    said = await bench.say("why?")

    assert said["metadata"]["simulated"] is True
    assert [{"title": "T", "link": "https://t.example"}] == said["metadata"]["sources"]
    assert (None, "CNY") == (said["usage"]["cost_usd"], said["usage"]["currency"])


async def test_half_characters_of_a_model_become_marks(bench):
    """A model's lone surrogate reaches the caller and the store as U+FFFD."""
    bench.gateway.answer = {"text": "half \ud83d, whole \ud83d\ude42"}
    answer = await bench.call("chat", prompt="why?")
    again = answer.structured["continuation_offer"]["continuation_id"]
    found = await bench.store.load(again, bench.clock.now)

    assert json.loads(answer.text)["content"] == "half �, whole 🙂"
    assert found.turns[1].text == "half �, whole 🙂"


@pytest.mark.real
async def test_a_model_that_does_not_see_is_not_sent_images(bench, tmp_path):
    """An image to a named model that does not see is refused before any request, naming models that do."""
    bench.caller.roots = (tmp_path.resolve(),)
    picture = tmp_path.resolve() / "p.png"
    picture.write_bytes(PNG)
    with pytest.raises(ArgumentError, match="glm-5v-turbo") as fault:
        await bench.say("what?", images=[str(picture)], model="glm-4.6")
    said = await bench.say("what?", images=[str(picture)])

    assert fault.value.details["field"] == "images"
    assert len(bench.gateway.requests) == 1
    assert "does not see images" in said["metadata"]["notice"]
    assert bench.gateway.requests[0].messages[-1].images[0].url.startswith("data:image/png;base64,")


@pytest.mark.real
async def test_pictures_of_a_conversation_stay_with_it(bench, tmp_path):
    """A picture given by path is shown again in later turns; on a model that does not see it becomes a note."""
    bench.caller.roots = (tmp_path.resolve(),)
    picture = tmp_path.resolve() / "p.png"
    picture.write_bytes(PNG)
    first = await bench.say("what?", images=[str(picture)], model="glm-4.6v")
    again = first["continuation_offer"]["continuation_id"]
    await bench.say("and?", continuation_id=again)
    await bench.say("then?", continuation_id=again, model="glm-4.6")
    seen = [request.messages[1] for request in bench.gateway.requests]

    assert seen[0] == seen[1]
    assert seen[2].images == ()
    assert "not shown" in seen[2].text


@pytest.mark.real
async def test_files_are_read_again_at_use(bench, tmp_path):
    """The newest content stands where the file was first named; a deleted file becomes a note there."""
    root = tmp_path.resolve()
    bench.caller.roots = (root,)
    (root / "a.py").write_text("OLD")
    again = (await bench.say("one", files=[str(root / "a.py")]))["continuation_offer"][
        "continuation_id"
    ]
    (root / "a.py").write_text("NEW")
    await bench.say("two", continuation_id=again, files=[str(root / "a.py")])
    (root / "a.py").unlink()
    await bench.say("three", continuation_id=again)
    first, second, third = map(texts, bench.gateway.requests)

    assert "OLD" in first[1]
    assert "OLD" not in "".join(second)
    assert "".join(second).count("NEW") == 1
    assert "NEW" in second[1]
    assert "deleted" in third[1]


@pytest.mark.real
async def test_another_callers_roots_hold_for_earlier_files(bench, tmp_path):
    """Who goes on with a conversation reads only what lies inside their own roots."""
    root = tmp_path.resolve()
    (root / "a.py").write_text("CONTENT")
    bench.caller.roots = (root,)
    again = (await bench.say("one", files=str(root / "a.py")))["continuation_offer"][
        "continuation_id"
    ]
    bench.caller.roots = (root / "elsewhere",)
    await bench.say("two", continuation_id=again)

    assert "CONTENT" not in "".join(texts(bench.gateway.requests[-1]))
    assert "not readable from here" in texts(bench.gateway.requests[-1])[1]


@pytest.mark.parametrize("kind", ["files", "images"])
async def test_refused_paths_name_their_argument(bench, kind):
    """A path that may not be read fails the call before any request, naming argument and setting."""
    with pytest.raises(ArgumentError, match="EXAI_ALLOWED_ROOTS") as fault:
        await bench.say("why?", model="glm-4.6v", **{kind: ["relative.py"]})

    assert fault.value.details["field"] == kind
    assert bench.gateway.requests == []


DIALECTS = {
    "glm-4.6v": glm_dialect("https://api.z.ai/api/paas/v4"),
    "kimi-k2.6": kimi_dialect("https://api.moonshot.ai/v1"),
}


@pytest.mark.real
@pytest.mark.parametrize("last", DIALECTS)
async def test_the_provider_receives_what_was_agreed_byte_for_byte(
    bench, tmp_path, monkeypatch, last
):
    """The body of a third turn, with files, an image and two models' reasoning, equals the golden file."""
    root = tmp_path.resolve()
    bench.caller.roots = (root,)
    (root / "a.py").write_text("print('ä')\n", encoding="utf-8")
    (root / "b.txt").write_text("no line break at the end")
    (root / "c.bin").write_bytes(b"\0\1")
    (root / "p.png").write_bytes(PNG)
    monkeypatch.setattr(uuid, "uuid4", lambda: "11111111-2222-4333-8444-555555555555")
    named = [str(root / name) for name in ("a.py", "b.txt", "c.bin")]

    async def ask(prompt, *, thought, **arguments):
        bench.gateway.answer = {"text": f"Answer to: {prompt}", "reasoning": thought}
        return (await bench.say(prompt, **arguments))["continuation_offer"]["continuation_id"]

    again = await ask("What does a.py do?", thought="a print", files=named, model="kimi-k2.6")
    await ask(
        "And this?",
        thought="pixels",
        images=[str(root / "p.png")],
        continuation_id=again,
        model="glm-4.6v",
    )
    await ask(
        "Sure?",
        thought="",
        files=named[:1],
        continuation_id=again,
        model=last,
        thinking_mode="low",
        use_websearch=False,
    )
    model = bench.gateway.choose(last).model
    request = attrs.evolve(bench.gateway.requests[-1], idempotency_key="s1:r1")
    body = encoded(DIALECTS[last].chat_body(request, model))

    assert (GOLDEN / f"{last}.json").read_bytes() == body.replace(str(root).encode(), b"/project")


def test_defaults_are_those_of_the_settings():
    """The fake services stand on the real defaults."""
    assert (20, 24.0) == (Config().max_conversation_turns, Config().conversation_timeout_hours)
