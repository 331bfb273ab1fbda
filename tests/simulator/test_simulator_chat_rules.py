"""What each service refuses in a chat request, as a table per service. No sockets."""

import pytest

from exai_trio.simulator.chat.prompt import prompt_from
from exai_trio.simulator.vendors.error_bodies import Refused
from exai_trio.simulator.vendors.glm_rules import check_glm, glm_thinks
from exai_trio.simulator.vendors.kimi_rules import check_kimi, kimi_thinks
from exai_trio.simulator.vendors.model_list import GLM_MODELS, KIMI_GONE, KIMI_MODELS

USER = {"role": "user", "content": "hello"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
BUILTIN = {"type": "builtin_function", "function": {"name": "$web_search"}}
CALL = {"id": "look_up:0", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [CALL]}


def body(model, **more):
    return {"model": model, "messages": [USER], **more}


def saying(*messages):
    return {"messages": list(messages)}


def seeing(*parts):
    return saying({"role": "user", "content": [{"type": "text", "text": "look"}, *parts]})


def glm_fault(asked):
    with pytest.raises(Refused) as caught:
        check_glm(prompt_from(asked))
    error = caught.value.refusal.body["error"]
    return error["code"], error["message"]


def kimi_fault(asked):
    with pytest.raises(Refused) as caught:
        check_kimi(prompt_from(asked), lambda file_id: file_id == "file_sim000001")
    refusal = caught.value.refusal
    return refusal.status, refusal.body["error"]["message"]


@pytest.mark.parametrize("model", GLM_MODELS)
def test_glm_takes_a_plain_question(model):
    """Every model answers a plain question."""
    check_glm(prompt_from(body(model)))


@pytest.mark.parametrize(
    ("model", "more", "code"),
    [
        ("", {}, "1213"),
        ("glm-3", {}, "1211"),
        ("kimi-k3", {}, "1211"),
        ("glm-4.6", {"messages": []}, "1214"),
        ("glm-4.6", saying({"role": "system", "content": "x"}), "1214"),
        ("glm-4.6", saying(USER, {"role": "developer", "content": "x"}), "1214"),
        ("glm-4.6", {"temperature": 1.5}, "1210"),
        ("glm-4.6", {"temperature": -0.1}, "1210"),
        ("glm-4.6", {"temperature": "hot"}, "1210"),
        ("glm-4.6", {"top_p": 0}, "1210"),
        ("glm-4.6", {"max_tokens": 0}, "1210"),
        ("glm-4.5", {"max_tokens": 100_000}, "1210"),
        ("glm-4.6", {"stop": ["a", "b"]}, "1210"),
        ("glm-4.6", {"user_id": "short"}, "1210"),
        ("glm-4.6", {"thinking": {"type": "maybe"}}, "1210"),
        ("glm-4.6", {"response_format": {"type": "json_schema"}}, "1210"),
        ("glm-5.3", {"reasoning_effort": "none"}, "1210"),
        ("glm-5.3-flash", {"reasoning_effort": "minimal"}, "1210"),
        ("glm-5.2", {"reasoning_effort": "huge"}, "1210"),
        ("glm-4.6", {"tools": [TOOL] * 129}, "1210"),
        ("glm-4.6", {"tools": [BUILTIN]}, "1214"),
        ("glm-4.6", {"tools": [{"type": "function", "function": {}}]}, "1214"),
        ("glm-4.6", seeing(PICTURE), "1210"),
        ("glm-4.6v", seeing({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 7_200_000}}), "1210"),
        ("glm-4.6v", seeing(PICTURE, {"type": "file_url", "file_url": {"url": "https://a/b"}}), "1215"),
        ("glm-4.5", saying({"role": "user", "content": "x" * 600_000}), "1261"),
    ],
)  # fmt: skip
def test_glm_refuses(model, more, code):
    """Every faulty parameter has its code."""
    assert glm_fault(body(model, **more))[0] == code


def test_glm_says_that_it_always_thinks():
    """The vendor's words for an effort that would switch thinking off."""
    _, message = glm_fault(body("glm-5.3", reasoning_effort="none"))

    assert "always engages in thinking" in message


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0, "top_p": 0.01, "max_tokens": 131_072},
        {"tools": [TOOL, {"type": "web_search", "web_search": {"enable": True}}]},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look_up"}}},
        {"stream_options": {"include_usage": True}, "n": 2},
        {"thinking": {"type": "disabled"}, "response_format": {"type": "json_object"}},
    ],
)
def test_glm_accepts(more):
    """What the service takes, and what it does not know and ignores."""
    check_glm(prompt_from(body("glm-4.6", **more)))


@pytest.mark.parametrize(
    ("model", "more", "thinks"),
    [
        ("glm-4.6", {}, True),
        ("glm-4.6", {"thinking": {"type": "disabled"}}, False),
        ("glm-5.3", {"thinking": {"type": "disabled"}}, True),
        ("glm-5.2", {"reasoning_effort": "none"}, False),
        ("glm-5.2", {"reasoning_effort": "max"}, True),
    ],
)
def test_glm_thinking(model, more, thinks):
    """When GLM thinks."""
    assert glm_thinks(prompt_from(body(model, **more))) is thinks


@pytest.mark.parametrize("model", KIMI_MODELS)
def test_kimi_takes_a_plain_question(model):
    """Every model answers a plain question."""
    check_kimi(prompt_from(body(model)), lambda _: False)


@pytest.mark.parametrize("model", [*KIMI_GONE, "glm-4.6", "kimi-nonsense"])
def test_kimi_does_not_find_gone_models(model):
    """Gone and unknown models are the same 404."""
    status, message = kimi_fault(body(model))

    assert (status, message) == (404, f"Not found the model {model} or Permission denied")


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        ("kimi-k3", {"temperature": 0.5}, "invalid temperature: only 1 is allowed for this model"),
        ("kimi-k2.6", {"temperature": 1, "thinking": {"type": "disabled"}}, "invalid temperature: only 0.6 is"),
        ("kimi-k3", {"top_p": 1}, "invalid top_p: only 0.95"),
        ("kimi-k3", {"n": 2}, "invalid n: only 1"),
        ("kimi-k3", {"presence_penalty": 0.1}, "invalid presence_penalty: only 0"),
        ("kimi-k3", {"frequency_penalty": 1}, "invalid frequency_penalty: only 0"),
        ("kimi-k3", {"stop": ["x"] * 6}, "at most 5"),
        ("kimi-k3", {"stop": "x" * 33}, "32 bytes"),
        ("kimi-k3", {"thinking": {"type": "enabled"}}, "thinking is not supported"),
        ("kimi-k3", {"reasoning_effort": "medium"}, "reasoning_effort"),
        ("kimi-k2.7-code", {"thinking": {"type": "disabled"}}, "cannot be disabled"),
        ("kimi-k2.6", {"max_completion_tokens": 0}, "max_completion_tokens"),
        ("kimi-k2.6", {"max_completion_tokens": 262_144}, "exceeded model token limit : 262144"),
        ("kimi-k2.6", saying({"role": "user", "content": "x" * 1_100_000}), "exceeded model token limit"),
        ("kimi-k3", {"response_format": {"type": "json_schema"}}, "json_schema is required"),
        ("kimi-k3", {"messages": []}, "messages must not be empty"),
        ("kimi-k3", saying({"role": "user", "content": " "}), "must not be empty"),
        ("kimi-k3", saying(USER, {"role": "cache", "content": "x"}), "unsupported role cache"),
        ("kimi-k3", {"tools": [TOOL] * 129}, "more than 128"),
        ("kimi-k3", {"tools": [TOOL, TOOL]}, "function name look_up is duplicated"),
        ("kimi-k3", {"tools": [{"type": "function", "function": {"name": "a.b"}}]}, "is invalid"),
        ("kimi-k3", {"tools": [{"type": "function", "function": {"name": "ab"}}]}, "is invalid"),
        ("kimi-k3", {"tools": [{"type": "web_search"}]}, "tool type web_search"),
        ("kimi-k3", {"tools": [{"type": "builtin_function", "function": {"name": "$x"}}]}, "not found"),
        ("kimi-k3", {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look_up"}}},
         "tool_choice 'specified' is incompatible with thinking enabled"),
        ("kimi-k2.6", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice 'required' is incompatible"),
        ("kimi-k3", {"tool_choice": "perhaps"}, "tool_choice perhaps"),
        ("kimi-k3", saying(USER, {"role": "tool", "tool_call_id": "x:0", "content": "r"}), "tool_call_id not found"),
        ("kimi-k3", saying(USER, ASKED, {"role": "tool", "tool_call_id": "no:1", "content": "r"}), "tool_call_id not found"),
        ("kimi-k3", saying(USER, ASKED), "the number of tool messages does not match"),
        ("kimi-k3", saying(USER, ASKED, USER), "the number of tool messages does not match"),
        ("kimi-k3", saying(USER, {**ASKED, "reasoning_content": None}, USER), "reasoning_content is missing"),
        ("kimi-k3", seeing({"type": "image_url", "image_url": {"url": "https://a/b.png"}}), "unsupported image url"),
        ("kimi-k3", seeing({"type": "image_url", "image_url": {"url": "ms://file_none"}}), "file not found"),
        ("kimi-k3", seeing({"type": "file_url", "file_url": {"url": "https://a/b"}}), "file_url"),
    ],
)  # fmt: skip
def test_kimi_refuses(model, more, words):
    """Every faulty parameter is a 400 with the vendor's words."""
    status, message = kimi_fault(body(model, **more))

    assert status == 400
    assert words in message


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("kimi-k3", {"temperature": 1, "top_p": 0.95, "n": 1, "reasoning_effort": "high"}),
        ("kimi-k2.6", {"temperature": 0.6, "thinking": {"type": "disabled"}}),
        ("kimi-k3", {"tools": [TOOL, BUILTIN], "tool_choice": "required"}),
        ("kimi-k2.6", {"tools": [TOOL], "thinking": {"type": "disabled"}, "tool_choice": {"type": "function"}}),
        ("kimi-k3", saying(USER, ASKED, {"role": "tool", "tool_call_id": "look_up:0", "content": "r"})),
        ("kimi-k3", saying(USER, {"role": "assistant", "content": "", "partial": True})),
        ("kimi-k3", seeing(PICTURE)),
        ("kimi-k3", seeing({"type": "image_url", "image_url": {"url": "ms://file_sim000001"}})),
    ],
)  # fmt: skip
def test_kimi_accepts(model, more):
    """What the service takes."""
    check_kimi(prompt_from(body(model, **more)), lambda file_id: file_id == "file_sim000001")


def test_builtin_search_wants_its_arguments_back_unchanged():
    """The tool message of $web_search repeats the arguments to the letter."""
    call = {"id": "s:0", "function": {"name": "$web_search", "arguments": '{"a": 1}'}}
    asked = {"role": "assistant", "reasoning_content": "", "tool_calls": [call]}
    changed = {"role": "tool", "tool_call_id": "s:0", "content": '{"a":1}'}

    assert "unchanged" in kimi_fault(body("kimi-k3", **saying(USER, asked, changed)))[1]
    check_kimi(
        prompt_from(body("kimi-k3", **saying(USER, asked, {**changed, "content": '{"a": 1}'}))),
        lambda _: False,
    )


@pytest.mark.parametrize(
    ("model", "more", "thinks"),
    [
        ("kimi-k3", {}, True),
        ("kimi-k2.6", {}, True),
        ("kimi-k2.6", {"thinking": {"type": "disabled"}}, False),
    ],
)
def test_kimi_thinking(model, more, thinks):
    """When Kimi thinks."""
    assert kimi_thinks(prompt_from(body(model, **more))) is thinks
