"""GLM: golden bodies, the whole error table, and side services."""

import pytest

from exai_trio.errors import (
    PromptTooLongError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderNetworkError,
    ProviderQuotaError,
    ProviderRefusedError,
)
from exai_trio.providers.base import ChatRequest, Image, Message, ToolCall
from exai_trio.providers.catalogue import ModelInfo, load_catalogue
from exai_trio.providers.dialects.glm import (
    count_tokens,
    counted_tokens,
    file_text,
    found,
    glm_dialect,
    judge,
    thinking,
    web_search,
)
from exai_trio.providers.refusals.provider_errors import complaint_in

DIALECT = glm_dialect("https://api.z.ai/api/paas/v4")
GLM_46 = load_catalogue().find("glm-4.6")


def body_of(model=GLM_46, dialect=DIALECT, **request):
    defaults = {"model": model.name, "messages": (Message(role="user", text="hi"),)}
    return dialect.chat_body(ChatRequest(**{**defaults, **request}), model)


def test_a_plain_request():
    """Only what is needed; the stream is always asked for."""
    assert body_of() == {
        "model": "glm-4.6",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }


def test_everything_at_once_in_an_order_that_keeps_the_prefix():
    """Tools, then the messages, then what changes from call to call; the request id comes last."""
    function = {"type": "function", "function": {"name": "f", "parameters": {}}}
    body = body_of(
        tools=(function,),
        tool_choice="auto",
        web_search=True,
        temperature=0.5,
        thinking="high",
        max_output_tokens=999_999,
        idempotency_key="session:request",
        cache_key="thread",
    )

    search = {"enable": True, "search_engine": "search_pro_jina", "search_result": True}
    assert body == {
        "model": "glm-4.6",
        "tools": [function, {"type": "web_search", "web_search": search}],
        "tool_choice": "auto",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "max_tokens": 131_072,
        "temperature": 0.5,
        "thinking": {"type": "enabled"},
        "request_id": "session:request",
    }
    assert list(body)[:4] == ["model", "tools", "tool_choice", "messages"]
    assert list(body)[-1] == "request_id"


def test_a_conversation_with_images_and_tools():
    """Roles stay; images are parts; earlier thinking is not sent, since GLM drops it anyway."""
    messages = (
        Message(role="system", text="be brief"),
        Message(role="user", text="look", images=(Image(url="data:image/png;base64,AA=="),)),
        Message(
            role="assistant",
            reasoning="hm",
            tool_calls=(ToolCall(id="1", name="f", arguments='{"a": 1}'),),
        ),
        Message(role="tool", text="42", tool_call_id="1"),
    )

    assert body_of(messages=messages)["messages"] == [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "text", "text": "look"},
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]


@pytest.mark.parametrize(
    ("style", "level", "fields"),
    [
        ("toggle", None, {}),
        ("toggle", "minimal", {"thinking": {"type": "disabled"}}),
        ("toggle", "low", {"thinking": {"type": "enabled"}}),
        ("toggle", "max", {"thinking": {"type": "enabled"}}),
        ("toggle_effort", "minimal", {"thinking": {"type": "disabled"}}),
        ("toggle_effort", "low", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("toggle_effort", "max", {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        ("effort", None, {}),
        ("effort", "minimal", {"reasoning_effort": "low"}),
        ("effort", "low", {"reasoning_effort": "low"}),
        ("effort", "medium", {"reasoning_effort": "high"}),
        ("effort", "high", {"reasoning_effort": "high"}),
        ("effort", "max", {"reasoning_effort": "max"}),
        ("none", "high", {}),
        ("always", "high", {}),
    ],
)
def test_a_thinking_level_in_glms_words(style, level, fields):
    """glm-5.3 never hears none, minimal or medium, which it answers with 400."""
    assert thinking(level, style) == fields


@pytest.mark.parametrize(
    ("codes", "error", "retryable"),
    [
        ("1000 1001 1002 1003 1004", ProviderAuthError, False),
        ("1110 1111 1112 1120 1121", ProviderAuthError, False),
        (
            "1113 1304 1308 1309 1310 1311 1313 1316 1317 1318 1319 1320 1321",
            ProviderQuotaError,
            False,
        ),
        ("1210 1211 1212 1213 1214 1215 1220 1221 1222 1300 1301", ProviderRefusedError, False),
        ("1261", PromptTooLongError, False),
        ("1230 1231 1302 1303 1305 1312 500", ProviderBusyError, True),
        ("1234", ProviderNetworkError, True),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_every_code_means_the_same_under_every_status(codes, error, retryable, status):
    """Routed on the code: the status may be anything, 200 included, and the code a string or a number."""
    for code in codes.split():
        for written in (f'"{code}"', code):
            complaint = complaint_in(
                status, f'{{"error": {{"code": {written}, "message": "x"}}}}'.encode()
            )
            verdict = judge(complaint)
            assert (verdict.error, verdict.error.retryable) == (error, retryable), code


@pytest.mark.parametrize(
    ("code", "reason"), [("1302", "concurrency"), ("1231", "duplicate_request_id")]
)
def test_codes_that_others_act_on(code, reason):
    """The permits listen for one, the retries for the other."""
    assert judge(complaint_in(429, f'{{"error": {{"code": "{code}"}}}}'.encode())).reason == reason


def test_a_duplicate_request_id_gets_a_new_one():
    """The key itself stays; the id grows a number."""
    assert (
        body_of(idempotency_key="session:request", renumbered=2)["request_id"]
        == "session:request.2"
    )


def test_china_has_its_own_search_engine_and_money():
    """The host decides."""
    china = glm_dialect("https://open.bigmodel.cn/api/paas/v4")

    assert china.currency == "CNY"
    assert (
        body_of(dialect=china, web_search=True)["tools"][0]["web_search"]["search_engine"]
        == "search_pro"
    )


def test_an_unlisted_model_gets_nothing_that_it_may_not_know():
    """No thinking, no limit."""
    model = ModelInfo(name="glm-9", provider="glm", listed=False)

    assert body_of(model=model, thinking="high", max_output_tokens=5) == {
        "model": "glm-9",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "max_tokens": 5,
    }


def test_the_search_of_its_own():
    """The vendor's fields pass through; "all" becomes what the vendor calls it."""
    asked = web_search("trio", {"count": 3, "search_recency_filter": "all"}, engine="search-prime")

    assert asked.path == "/web_search"
    assert asked.body == {
        "search_engine": "search-prime",
        "search_query": "trio",
        "count": 3,
        "search_recency_filter": "noLimit",
    }
    assert found(b'{"search_result": [{"title": "t"}]}') == ({"title": "t"},)
    assert found(b'{"search_result": null}') == ()


def test_counting_tokens():
    """Prompt tokens if they are there, else the total."""
    assert count_tokens("glm-4.6", (Message(role="user", text="hi"),)).path == "/tokenizer"
    assert counted_tokens(b'{"usage": {"prompt_tokens": 7, "total_tokens": 9}}') == 7
    assert counted_tokens(b'{"usage": {"total_tokens": 9}}') == 9


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"content": "caf\xc3\xa9", "filename": "x"}', "café".encode()),
        (b'{"a": 1}\n{"a": 2}', b'{"a": 1}\n{"a": 2}'),
        (b"plain", b"plain"),
    ],
)
def test_a_files_text_is_unwrapped(body, text):
    """What is not wrapped is the file itself."""
    assert file_text(body) == text
