"""What the simulated models answer and how each service writes it. No sockets."""

import json

import pytest

from exai_trio.simulator.chat.model_answer import LABEL, Circumstances, answer
from exai_trio.simulator.chat.prompt import prompt_from
from exai_trio.simulator.faults import Fault
from exai_trio.simulator.vendors.glm_shape import glm_body, glm_chunks
from exai_trio.simulator.vendors.kimi_shape import kimi_body, kimi_chunks

USER = {"role": "user", "content": "hello there"}
PLACE = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"]}  # fmt: skip
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PLACE}}
BUILTIN = {"type": "builtin_function", "function": {"name": "$web_search"}}
CALL = {"id": "c:0", "function": {"name": "get_weather", "arguments": "{}"}}
TOLD = [
    {"role": "assistant", "reasoning_content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c:0", "content": "sunny"},
]


def ask(vendor="glm", fault=None, *, messages=(USER,), thinks=False, **more):
    prompt = prompt_from({"model": "glm-4.6", "messages": list(messages), **more})
    around = Circumstances(vendor=vendor, number=7, thinks=thinks, fault=fault or Fault())
    return prompt, answer(prompt, around)


def text_of(given):
    return "".join(given.text)


def test_answer_shows_what_arrived():
    """The text names the messages, their roles, the pictures and the last words of the user, and says that it is simulated."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "what is this"}, picture]},
    ]

    _, given = ask(messages=messages, temperature=0.3)

    text = text_of(given)
    assert text.startswith(LABEL)
    for fact in ("messages=2", "roles=system,user", "images=1", "temperature=0.3"):
        assert fact in text
    assert text.endswith("Last user message: what is this")


def test_answers_are_deterministic():
    """The same prompt gives the same answer; a changed system text shows."""
    one = [{"role": "system", "content": "a"}, USER]
    other = [{"role": "system", "content": "b"}, USER]

    assert ask(messages=one) == ask(messages=one)
    assert text_of(ask(messages=one)[1]) != text_of(ask(messages=other)[1])


def test_directive_is_not_echoed():
    """An answer that is quoted in a later prompt must not ask for the fault again."""
    _, given = ask(messages=[{"role": "user", "content": "a [[simulate: tokens=1]] b"}])

    assert "simulate:" not in text_of(given)


def test_long_prompts_are_echoed_in_part():
    """The echo is bounded."""
    _, given = ask(messages=[{"role": "user", "content": "x" * 9_000}])

    assert "(9000 characters)" in text_of(given)
    assert len(text_of(given)) < 3_000


def test_asked_number_of_tokens():
    """`tokens=n` gives n pieces and counts n."""
    _, given = ask(fault=Fault(tokens=50))

    assert (len(given.text), given.usage.completion) == (50, 50)
    assert given.text[0] == "[simulated] "


def test_max_tokens_cut_the_answer():
    """Reasoning and text share the limit; what is cut finishes with `length`."""
    _, given = ask(fault=Fault(tokens=50, reasoning=5), thinks=True, max_tokens=20)

    assert (len(given.reasoning), len(given.text)) == (5, 15)
    assert (given.finish, given.usage.completion, given.usage.reasoning) == ("length", 20, 5)


def test_stop_word_ends_the_text():
    """Text ends before a stop word."""
    assert "Last" not in text_of(ask(stop=["Last user"])[1])


def test_json_answer():
    """A JSON answer is asked for by response_format."""
    _, given = ask(response_format={"type": "json_object"})

    said = json.loads(text_of(given))
    assert (said["simulated"], said["last_user"]) == (True, "hello there")


def test_given_text():
    """`say` is answered to the letter."""
    assert text_of(ask(fault=Fault(say="exactly this"))[1]) == "exactly this"


def test_think_tags():
    """Thoughts can come inside the content."""
    _, given = ask(fault=Fault(think_tags=True), thinks=True)

    assert given.reasoning == ()
    assert text_of(given).startswith("<think>[simulated reasoning]")


def test_empty_answer():
    """An empty answer has neither text nor thoughts."""
    _, given = ask(fault=Fault(empty=True), thinks=True)

    assert (given.text, given.reasoning, given.finish) == ((), (), "stop")


@pytest.mark.parametrize(
    ("words", "more", "names"),
    [
        ("hello", {}, []),
        ("please call get_weather", {}, ["get_weather"]),
        ("use the tool `get_weather` now", {}, ["get_weather"]),
        ("hello", {"tool_choice": "required"}, ["get_weather"]),
        ("hello", {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, ["get_weather"]),
        ("call get_weather", {"tool_choice": "none"}, []),
        ("search the web for cats", {}, ["$web_search"]),
    ],
)  # fmt: skip
def test_when_tools_are_called(words, more, names):
    """The model calls when it is asked or made to."""
    _, given = ask(messages=[{"role": "user", "content": words}], tools=[TOOL, BUILTIN], **more)

    assert [call.name for call in given.calls] == names
    assert given.finish == ("tool_calls" if names else "stop")


def test_call_arguments_fit_the_schema():
    """Required properties are filled by their type."""
    _, given = ask(tools=[TOOL], tool_choice="required")

    assert json.loads(given.calls[0].arguments) == {"city": "simulated city", "days": 1}


def test_no_call_after_tool_results():
    """A model that has its results answers, also when the question still asks for the call."""
    call_it = {"role": "user", "content": "call get_weather [[simulate: call=get_weather]]"}
    _, given = ask(messages=[call_it, *TOLD], tools=[TOOL], fault=Fault(call="get_weather"))

    assert given.calls == ()
    assert "tool_results=1" in text_of(given)


def test_glm_repeats_the_role_and_counts_in_the_finish_chunk():
    """GLM's stream: role everywhere, thoughts before text, usage with the finish."""
    prompt, given = ask(thinks=True)

    chunks = list(glm_chunks(given, prompt, Fault()))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert {delta["role"] for delta in deltas} == {"assistant"}
    kinds = ["reasoning_content" in delta for delta in deltas]
    assert kinds == sorted(kinds, reverse=True)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert all("usage" not in chunk for chunk in chunks[:-1])
    assert all(chunk["request_id"] == "sim-request-000007" for chunk in chunks)


def test_kimi_gives_the_role_once_and_usage_in_a_chunk_of_its_own():
    """Kimi's stream: role first and once, a finish chunk, then usage without choices."""
    _, given = ask("kimi", thinks=True)

    chunks = list(kimi_chunks(given, Fault()))
    roles = ["role" in chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert (roles[0], any(roles[1:])) == (True, False)
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert "usage" not in chunks[-2]
    assert chunks[-1]["choices"] == []
    assert "cached_tokens" not in chunks[-1]["usage"]


def test_kimi_usage_in_the_finish_choice():
    """The other place in which Kimi's usage has been seen."""
    fault = Fault(usage="choice")
    _, given = ask("kimi", fault)

    chunks = list(kimi_chunks(given, fault))
    assert chunks[-1]["choices"][0]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("usage", ["own", "choice", "none"])
def test_whole_answers(usage):
    """Both services put text, thoughts and calls into one message."""
    fault = Fault(usage=usage, say="hi")
    prompt, given = ask(fault=fault, thinks=True)

    glm = glm_body(given, fault)
    kimi = kimi_body(given, fault)
    for body in (glm, kimi):
        assert body["choices"][0]["message"]["content"] == "hi"
        assert body["choices"][0]["message"]["reasoning_content"].startswith("[simulated")
    assert ("usage" in kimi, "usage" in kimi["choices"][0]) == (usage == "own", usage == "choice")
    assert prompt.model == glm["model"]


def joined(chunks):
    """The calls of a stream, put together as a client does."""
    calls = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            for piece in choice["delta"].get("tool_calls", []):
                call = calls.setdefault(piece["index"], {"pieces": 0, "arguments": ""})
                call["pieces"] += 1
                call["arguments"] += piece["function"]["arguments"]
                call |= {key: piece[key] for key in ("id", "type") if key in piece}
    return calls


def test_kimi_streams_calls_in_pieces():
    """Index in every piece, id and name in the first, arguments to be joined."""
    fault = Fault(calls=2, call="get_weather")
    _, given = ask("kimi", fault, tools=[TOOL])

    calls = joined(kimi_chunks(given, fault))
    assert [json.loads(call["arguments"])["days"] for call in calls.values()] == [1, 1]
    assert [call["id"] for call in calls.values()] == ["get_weather:0", "get_weather:1"]
    assert calls[0]["pieces"] > 2


@pytest.mark.parametrize(("tool_stream", "one_piece"), [(True, False), (False, True)])
def test_glm_streams_arguments_only_on_request(tool_stream, one_piece):
    """Without tool_stream a call comes whole."""
    prompt, given = ask(tools=[TOOL], tool_choice="required", tool_stream=tool_stream)

    calls = joined(glm_chunks(given, prompt, Fault()))
    assert (calls[0]["pieces"] == 1) is one_piece
    assert json.loads(calls[0]["arguments"])["days"] == 1


def test_arguments_as_object():
    """Arguments can come as the object itself."""
    fault = Fault(object_arguments=True, call="f", arguments='{"a": 1}')
    _, given = ask("kimi", fault)

    call = kimi_body(given, fault)["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["arguments"] == {"a": 1}


def test_builtin_calls_have_their_own_type():
    """A call of $web_search is a builtin_function and says how large the prompt will grow."""
    messages = [{"role": "user", "content": "search for cats"}]
    _, given = ask("kimi", messages=messages, tools=[BUILTIN])

    assert given.calls[0].type == "builtin_function"
    assert json.loads(given.calls[0].arguments)["usage"]["total_tokens"] > 0
