"""Kimi: golden bodies, the whole error table, and side services."""

import pytest

from exai_trio.errors import (
    PromptTooLongError,
    ProviderAuthError,
    ProviderBusyError,
    ProviderQuotaError,
    ProviderRefusedError,
)
from exai_trio.providers.base import Balance, ChatRequest, Image, Message, ToolCall
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.dialects.kimi import counted_tokens, judge, kimi_dialect
from exai_trio.providers.refusals.provider_errors import complaint_in, fault

DIALECT = kimi_dialect("https://api.moonshot.ai/v1")
CATALOGUE = load_catalogue()


def body_of(name="kimi-k2.6", **request):
    model = CATALOGUE.find(name)
    defaults = {"model": model.name, "messages": (Message(role="user", text="hi"),)}
    return DIALECT.chat_body(ChatRequest(**{**defaults, **request}), model)


def test_a_plain_request():
    """The output limit is always named, since it is charged."""
    assert body_of() == {
        "model": "kimi-k2.6",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "max_completion_tokens": 32_768,
    }


def test_everything_at_once_without_any_sampling():
    """Temperature is never sent: anything but the fixed value is a 400. No id in the body either."""
    body = body_of(
        temperature=0.3,
        max_output_tokens=100,
        idempotency_key="session:request",
        cache_key="thread-1",
        tools=({"type": "function", "function": {"name": "fun"}},),
        web_search=True,
        tool_choice="auto",
    )

    assert body == {
        "model": "kimi-k2.6",
        "tools": [
            {"type": "function", "function": {"name": "fun"}},
            {"type": "builtin_function", "function": {"name": "$web_search"}},
        ],
        "tool_choice": "auto",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "max_completion_tokens": 100,
        "thinking": {"type": "disabled"},
        "prompt_cache_key": "thread-1",
    }
    assert list(body)[:4] == ["model", "tools", "tool_choice", "messages"]


def test_the_assistants_message_goes_back_whole():
    """Reasoning and tool calls included, and the tool message names its tool."""
    search = ToolCall(id="s:0", name="$web_search", arguments='{"x":  1}', type="builtin_function")
    messages = (
        Message(role="user", text="hi"),
        Message(role="assistant", text="", reasoning="hm", tool_calls=(search,)),
        Message(role="tool", text='{"x":  1}', tool_call_id="s:0"),
    )

    assert body_of("kimi-k3", messages=messages)["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "hm",
            "tool_calls": [
                {
                    "id": "s:0",
                    "type": "builtin_function",
                    "function": {"name": "$web_search", "arguments": '{"x":  1}'},
                }
            ],
        },
        {"role": "tool", "content": '{"x":  1}', "tool_call_id": "s:0", "name": "$web_search"},
    ]


THOUGHT = (
    Message(role="user", text="a"),
    Message(role="assistant", text="b", reasoning="c"),
    Message(role="user", text="d"),
)


@pytest.mark.parametrize(
    ("model", "request_fields", "fields"),
    [
        ("kimi-k3", {}, {}),
        ("kimi-k3", {"thinking": "minimal"}, {"reasoning_effort": "low"}),
        ("kimi-k3", {"thinking": "medium"}, {"reasoning_effort": "high"}),
        ("kimi-k3", {"thinking": "max"}, {"reasoning_effort": "max"}),
        ("kimi-k2.7-code", {"thinking": "minimal"}, {}),
        ("kimi-k2.6", {}, {}),
        ("kimi-k2.6", {"thinking": "minimal"}, {"thinking": {"type": "disabled"}}),
        ("kimi-k2.6", {"thinking": "high"}, {"thinking": {"type": "enabled"}}),
        ("kimi-k2.6", {"messages": THOUGHT}, {"thinking": {"type": "enabled", "keep": "all"}}),
        ("kimi-k2.6", {"web_search": True}, {"thinking": {"type": "disabled"}}),
        ("kimi-k2.6", {"web_search": True, "thinking": "high"}, {"thinking": {"type": "enabled"}}),
    ],
)
def test_a_thinking_level_in_kimis_words(model, request_fields, fields):
    """K3 takes an effort and no `thinking`, K2.7 nothing, K2.6 a switch."""
    body = body_of(model, **request_fields)

    assert {key: body[key] for key in ("thinking", "reasoning_effort") if key in body} == fields


@pytest.mark.parametrize("url", ["https://example.org/a.png", "http://x/y"])
def test_public_links_to_images_are_refused_before_sending(url):
    """Kimi takes none; data: and ms:// pass."""
    with pytest.raises(ProviderRefusedError, match="data: URLs"):
        body_of(messages=(Message(role="user", images=(Image(url=url),)),))

    body_of(
        messages=(Message(role="user", images=(Image(url="data:x"), Image(url="ms://file_1"))),)
    )


RATE = "Your account org-abc123<ak-def456> request reached organization "


@pytest.mark.parametrize(
    ("status", "kind", "message", "error", "reason"),
    [
        (
            400,
            "content_filter",
            "The request was rejected because it was considered high risk",
            ProviderRefusedError,
            "policy",
        ),
        (400, "invalid_request_error", "Invalid request: x", ProviderRefusedError, "bad_request"),
        (
            400,
            "invalid_request_error",
            "Input token length too long",
            PromptTooLongError,
            "prompt_too_long",
        ),
        (
            400,
            "invalid_request_error",
            "Your request exceeded model token limit : 8192",
            PromptTooLongError,
            "prompt_too_long",
        ),
        (401, "invalid_authentication_error", "Invalid Authentication", ProviderAuthError, "auth"),
        (401, "incorrect_api_key_error", "Incorrect API key provided", ProviderAuthError, "auth"),
        (
            403,
            "permission_denied_error",
            "The API you are accessing is not open",
            ProviderRefusedError,
            "permission",
        ),
        (
            404,
            "resource_not_found_error",
            "Not found the model M or Permission denied",
            ProviderRefusedError,
            "unknown_model",
        ),
        (
            429,
            "engine_overloaded_error",
            "The engine is currently overloaded",
            ProviderBusyError,
            "overloaded",
        ),
        (
            429,
            "exceeded_current_quota_error",
            "You exceeded your current token quota",
            ProviderQuotaError,
            "balance",
        ),
        (
            429,
            "rate_limit_reached_error",
            RATE + "max concurrency: 3, please try again after 1 seconds",
            ProviderBusyError,
            "concurrency",
        ),
        (
            429,
            "rate_limit_reached_error",
            RATE + "max RPM: 3, please try again after 20 seconds",
            ProviderBusyError,
            "rate_limit",
        ),
        (
            429,
            "rate_limit_reached_error",
            RATE + "TPM rate limit, current:1, limit:1",
            ProviderBusyError,
            "rate_limit",
        ),
        (
            429,
            "rate_limit_reached_error",
            RATE + "TPD rate limit, current:1, limit:1",
            ProviderQuotaError,
            "daily_quota",
        ),
        (499, "client_closed_request", "", ProviderBusyError, "unavailable"),
        (500, "server_error", "Failed to extract file: x", ProviderBusyError, "unavailable"),
        (500, "unexpected_output", "invalid state transition", ProviderBusyError, "unavailable"),
        (503, "server_unavailable", "", ProviderBusyError, "unavailable"),
    ],
)
def test_every_row_of_the_error_table(status, kind, message, error, reason):
    """By type, and by the vendor's words where the type is not enough."""
    verdict = judge(
        complaint_in(status, f'{{"error": {{"type": "{kind}", "message": "{message}"}}}}'.encode())
    )

    assert (verdict.error, verdict.reason) == (error, reason)


def test_the_numbers_in_a_rate_limit_are_read_and_the_ids_are_not_shown():
    """When to come back, how many at once; neither organisation nor key reaches the user."""
    body = f'{{"error": {{"type": "rate_limit_reached_error", "message": "{RATE}max concurrency: 3, please try again after 2 seconds"}}}}'
    complaint = complaint_in(429, body.encode())

    error = fault("Kimi", complaint, judge(complaint))

    assert error.retry_after_s == 2.0
    assert error.details["max_concurrency"] == 3
    assert not any(secret in error.message for secret in ("abc123", "def456", "org-", "ak-"))


def test_a_server_error_is_tried_three_times():
    """Retry twice, as the table says."""
    complaint = complaint_in(500, b'{"error": {"type": "server_error", "message": "x"}}')

    assert fault("Kimi", complaint, judge(complaint)).details["max_attempts"] == 3


def test_tokens_and_balance():
    """The side services' answers."""
    money = (
        b'{"code": 0, "data": {"available_balance": 12.5, "voucher_balance": 1}, "status": true}'
    )

    assert counted_tokens(b'{"data": {"total_tokens": 80}}') == 80
    assert DIALECT.balance_of(money) == Balance(available=12.5, currency="USD")
    assert kimi_dialect("https://api.moonshot.cn/v1").balance_of(money).currency == "CNY"
