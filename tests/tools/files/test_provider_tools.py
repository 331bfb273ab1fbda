"""The tools over the providers' own services: what is asked of them, and what the caller gets."""

import json

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from exai_trio.errors import ArgumentError, CallTimeoutError, ExaiError, InternalError
from exai_trio.providers.dialects.request_body import safe_id
from exai_trio.tools.arguments import schema
from exai_trio.tools.base import OUTPUT_SCHEMA
from exai_trio.tools.files import kimi_chat_with_files
from exai_trio.tools.registry import BUILT_IN

pytestmark = pytest.mark.real

TOOLS = [t for t in BUILT_IN if t.name.startswith(("kimi_", "glm_", "smart_file_"))]
FUNCTION = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


async def chats(works):
    return [each["body"] for each in await works.requests("/chat/completions")]


async def upload(works, path):
    said = await works.said("kimi_upload_files", files=[str(path)])
    return json.loads(said["content"])[0]["file_id"]


async def test_files_go_before_the_question(works, root):
    """Each file's text is a system message of its own, once, in order; the model and its successor are told."""
    first, second = await upload(works, root / "a.txt"), await upload(works, root / "b.pdf")
    said = await works.said(
        "kimi_chat_with_files", prompt="compare", file_ids=[first, second, first]
    )
    (body,) = await chats(works)

    assert ["system", "system", "user"] == [each["role"] for each in body["messages"]]
    assert body["messages"][0]["content"] == "alpha text\n"
    assert "kimi-k2.6" == said["model"] == said["metadata"]["model_used"]
    assert "kimi-k2-0905-preview" in said["metadata"]["notice"]
    assert said["usage"]["input_tokens"] > 0


async def test_chat_with_files_is_cut_at_its_limit(works, root, monkeypatch):
    """After its own 60 s the call ends as a TIMEOUT that says so."""
    monkeypatch.setattr(kimi_chat_with_files, "LONGEST_S", 0.2)
    file_id = await upload(works, root / "a.txt")
    with pytest.raises(CallTimeoutError, match=r"0\.2 s"):
        await works.call(
            "kimi_chat_with_files", prompt="[[simulate: delay=30]]", file_ids=[file_id]
        )


async def test_tool_calls_come_back_and_go_on(works):
    """A function call comes back with id and arguments; sent back with a result, the chat goes on."""
    question = {"role": "user", "content": "use look_up"}
    said = await works.said("kimi_chat_with_tools", messages=[question], tools=[FUNCTION])
    (call,) = said["tool_calls"]
    answered = {
        "role": "assistant",
        "content": said["content"],
        "tool_calls": said["tool_calls"],
        "reasoning_content": said["reasoning_content"],
    }
    result = {"role": "tool", "tool_call_id": call["id"], "content": "found"}
    after = await works.said(
        "kimi_chat_with_tools", messages=[question, answered, result], tools=[FUNCTION]
    )

    assert ("tool_calls", "look_up") == (said["finish_reason"], call["function"]["name"])
    assert "tool_results=1" in after["content"]
    assert "tool_calls" not in after


@pytest.mark.parametrize(
    "messages", ["hello", ["hello"], '[{"role": "user", "content": "hello"}]',
                 [{"content": [{"type": "text", "text": "hello"}]}]],
)  # fmt: skip
async def test_messages_may_be_written_in_several_ways(works, messages):
    """A text, a list, a list as JSON text, and parts are one and the same message."""
    await works.said("kimi_chat_with_tools", messages=messages)
    (body,) = await chats(works)

    assert [{"role": "user", "content": "hello"}] == body["messages"]


@pytest.mark.parametrize(
    "messages",
    [
        [3], [None], [{}], [{"role": "nobody", "content": "x"}], [{"role": "user", "content": " "}],
        [{"role": "tool", "content": "x"}], [{"role": "user", "content": [{"type": "video_url"}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc"}}]}],
        [{"role": "assistant", "tool_calls": [{"id": 1}]}],
    ],
)  # fmt: skip
async def test_messages_that_are_none_are_refused(works, messages):
    """What is no message is refused before anything is asked, naming the argument."""
    with pytest.raises(ArgumentError) as refused:
        await works.call("kimi_chat_with_tools", messages=messages)

    assert refused.value.details["field"] == "messages"
    assert [] == await chats(works)


async def test_search_results_are_the_services_own(works):
    """Options go to GLM as they are; its results come back."""
    said = await works.said(
        "glm_web_search", search_query="trio", count=3, search_recency_filter="oneWeek"
    )
    (asked,) = await works.requests("/web_search")

    assert 3 == len(json.loads(said["content"])["search_result"])
    assert ("trio", 3, "oneWeek") == tuple(
        asked["body"][key] for key in ("search_query", "count", "search_recency_filter")
    )


async def test_a_search_carries_the_calls_key_in_every_attempt(works):
    """A service that has done the work already can know the request again."""
    await works.arm(path="/web_search", directive="status=503")

    await works.said("glm_web_search", search_query="trio")
    asked = await works.requests("/web_search")

    assert [503, 200] == [request["status"] for request in asked]
    assert [safe_id("s1:r1")] * 2 == [
        request["headers"].get("idempotency-key") for request in asked
    ]


async def test_a_preview_is_what_would_be_sent(works):
    """The preview equals the body of the chat with the same words, and sends nothing itself."""
    said = await works.said(
        "glm_payload_preview", prompt="why?", model="glm-4.6", system_prompt="Be brief."
    )
    shown = json.loads(said["content"])

    assert [] == await chats(works)
    assert ["system", "user"] == [message["role"] for message in shown["messages"]]
    assert ("glm-4.6", 0.3) == (shown["model"], shown["temperature"])
    with pytest.raises(ArgumentError, match="kimi"):
        await works.call("glm_payload_preview", prompt="x", model="kimi-k2.6")


async def test_intent_is_the_models_word_or_says_that_it_is_not(works):
    """A JSON answer is taken; anything else is an estimate, and the notice says so."""
    intent = {
        "needs_websearch": True, "complexity": "deep", "domain": "law", "recommended_provider": "GLM",
        "recommended_model": "glm-4.6", "streaming_preferred": False,
    }  # fmt: skip
    words = json.dumps(intent).replace("'", "")
    told = await works.said("kimi_intent_analysis", prompt=f"x [[simulate: say='{words}']]")
    guessed = await works.said("kimi_intent_analysis", prompt="the latest news?")

    assert intent == json.loads(told["content"])
    assert "notice" not in told["metadata"]
    assert set(intent) == set(json.loads(guessed["content"]))
    assert "estimated" in guessed["metadata"]["notice"]


async def test_headers_are_shown_without_secrets(works):
    """What the answer's headers say, the key under which Kimi caches, and cached tokens."""
    said = await works.said(
        "kimi_capture_headers", messages="hi", session_id="s", call_key="k", tool_name="t"
    )
    captured = json.loads(said["content"])
    (body,) = await chats(works)

    assert "content-type" in captured["headers"]
    assert not {"authorization", "set-cookie"} & set(captured["headers"])
    assert captured["prompt_cache_key"] == "s:t:k"
    assert len(body["prompt_cache_key"]) >= 5
    assert captured["cached_tokens"] == 0


async def test_a_query_takes_the_way_that_suits_the_file(works, root):
    """Text goes into the prompt with numbered lines; a document to Kimi; an image to a model that sees."""
    (root / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
    ways = {}
    for name in ("a.txt", "b.pdf", "p.png"):
        said = await works.said("smart_file_query", file_path=str(root / name), question="what?")
        ways[name] = (said["metadata"]["file"], said["metadata"]["provider_used"])
    text, _, image = await chats(works)

    assert {
        "a.txt": ("in the prompt", "glm"),
        "b.pdf": ("uploaded", "kimi"),
        "p.png": ("in the prompt", "kimi"),
    } == ways
    assert "   1| alpha text" in text["messages"][-1]["content"]
    assert image["messages"][-1]["content"][0]["type"] == "image_url"
    with pytest.raises(ArgumentError, match="GLM cannot"):
        await works.call(
            "smart_file_query", file_path=str(root / "b.pdf"), question="?", provider="glm"
        )
    with pytest.raises(ArgumentError, match="is a model of glm"):
        await works.call(
            "smart_file_query", file_path=str(root / "b.pdf"), question="?", provider="kimi",
            model="glm-4.6",
        )  # fmt: skip


WORDS = st.one_of(
    st.sampled_from(["", " ", "x", "..", "/etc/passwd", "file_1", "auto", "kimi-k2.6", "glm-4.6"]),
    st.text(st.characters(codec="utf-8", exclude_characters="["), max_size=12),
)
LOOSE = st.one_of(
    WORDS, st.integers(-3, 200), st.floats(), st.booleans(), st.none(),
    st.lists(WORDS, max_size=2), st.dictionaries(WORDS, WORDS, max_size=2),
)  # fmt: skip


def fitting(wanted):
    match wanted.get("type"):
        case "string":
            return st.sampled_from(wanted["enum"]) if "enum" in wanted else WORDS
        case "integer":
            return st.integers(wanted.get("minimum", 0), wanted.get("maximum", 9))
        case "number":
            return st.floats(wanted.get("minimum", 0), wanted.get("maximum", 1))
        case "boolean":
            return st.booleans()
        case "array":
            item = st.dictionaries(st.sampled_from(["role", "content", "type"]), LOOSE, max_size=3)
            return st.lists(fitting(wanted["items"]) | item, min_size=1, max_size=2)
        case _:
            return st.just(FUNCTION)


def arguments_of(tool, count):
    """What its own schema allows, mixed with what it does not."""
    properties = schema(tool)["properties"]
    required = schema(tool).get("required", ())
    fields = {name: fitting(wanted) | LOOSE for name, wanted in properties.items()}
    strategy = st.fixed_dictionaries(
        {name: fitting(properties[name]) for name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    ) | st.dictionaries(st.sampled_from([*properties, "bogus"]), LOOSE, max_size=3)
    found = []

    @settings(
        max_examples=count, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), derandomize=True,
    )  # fmt: skip
    @given(strategy)
    def gather(example):
        found.append(example)

    gather()
    return found


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_any_arguments_give_an_answer_or_a_typed_refusal(works, tool):
    """Whatever is sent: an answer in the common envelope, or an error of the tree; VALIDATION_ERROR names a field."""
    refusals = []
    for arguments in arguments_of(tool, 25):
        try:
            said = await works.said(tool.name, **arguments)
        except ExaiError as fault:
            refusals.append((arguments, fault))
        else:
            jsonschema.validate(said, OUTPUT_SCHEMA)
            assert said["metadata"]["tool_name"] == tool.name
    sent = json.dumps(await works.requests())

    for arguments, fault in refusals:
        assert not isinstance(fault, InternalError), arguments
        assert fault.code != "VALIDATION_ERROR" or fault.details.get("field"), arguments
    assert "root:x:0" not in sent
