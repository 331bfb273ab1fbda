"""Kimi (Moonshot) as a dialect: request bodies, error types, side services. Pure.

Kimi's errors have no code: they are routed by type, and where that is not enough by the vendor's own words.
Sampling is fixed by the service, which answers 400 to any other value: temperature and its like are never sent.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from exai_trio import structs
from exai_trio.errors import ProviderBusyError, ProviderRefusedError

from ..answers.records import reader
from ..base import Balance, ChatRequest, Message, ThinkingLevel
from ..catalogue import ModelInfo, ThinkingStyle
from ..refusals import common_verdicts
from ..refusals.provider_errors import Complaint, Verdict
from .dialect import Asked, Dialect, Json
from .request_body import messages_json, output_limit, safe_id

# where the vendor's Chinese service is
CHINA: Final = "moonshot.cn"
FILE_LIMIT: Final = 100 * 1024 * 1024
OWN_SEARCH: Final = "$web_search"


@structs.frozen
class Row:
    """A complaint of this type whose message holds these words (any, if empty) means that. First match wins."""

    type: str
    words: str
    verdict: Verdict


_INTERNAL = Verdict(ProviderBusyError, "unavailable", max_attempts=3)

ROWS: Final = (
    Row("content_filter", "", common_verdicts.POLICY),
    Row("invalid_request_error", "token length too long", common_verdicts.TOO_LONG),
    Row("invalid_request_error", "exceeded model token limit", common_verdicts.TOO_LONG),
    Row("invalid_request_error", "", common_verdicts.BAD_REQUEST),
    Row("invalid_authentication_error", "", common_verdicts.auth("KIMI")),
    Row("incorrect_api_key_error", "", common_verdicts.auth("KIMI")),
    Row("permission_denied_error", "", common_verdicts.FORBIDDEN),
    Row("resource_not_found_error", "", common_verdicts.UNKNOWN_MODEL),
    Row("engine_overloaded_error", "", common_verdicts.OVERLOADED),
    Row("exceeded_current_quota_error", "", common_verdicts.BALANCE),
    Row("rate_limit_reached_error", "TPD", common_verdicts.DAILY_QUOTA),
    Row("rate_limit_reached_error", "max concurrency", common_verdicts.CONCURRENCY),
    Row("rate_limit_reached_error", "", common_verdicts.RATE_LIMIT),
    Row("client_closed_request", "", common_verdicts.UNAVAILABLE),
    Row("server_error", "", _INTERNAL),
    Row("unexpected_output", "", _INTERNAL),
    Row("server_unavailable", "", common_verdicts.UNAVAILABLE),
)

EFFORT: Final[Mapping[ThinkingLevel, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "max": "max",
}


def kimi_dialect(base_url: str) -> Dialect:
    currency = "CNY" if CHINA in base_url else "USD"
    return Dialect(
        title="Kimi",
        capabilities=frozenset({"chat", "count_tokens", "list_models", "files", "balance"}),
        chat_body=chat_body,
        judge=judge,
        currency=currency,
        count_tokens=count_tokens,
        counted_tokens=counted_tokens,
        file_limit=FILE_LIMIT,
        balance_of=partial(balance, currency=currency),
        own_search=OWN_SEARCH,
    )


def judge(complaint: Complaint) -> Verdict | None:
    for row in ROWS:
        if row.type == complaint.type and row.words in complaint.message:
            return row.verdict
    return None


def chat_body(request: ChatRequest, model: ModelInfo) -> dict[str, Any]:
    """Tools, system, history in front and what differs from call to call last, so that the cached prefix stays."""
    _refuse_public_links(request.messages)
    tools = [*request.tools, *([_search_tool()] if request.web_search else [])]
    optional = {
        "tools": tools or None,
        "tool_choice": request.tool_choice,
        "messages": messages_json(request.messages, whole=True),
        "stream": True,
        "max_completion_tokens": output_limit(request, model),
        **thinking(request, model.thinking),
        "prompt_cache_key": safe_id(request.cache_key or "") or None,
    }
    return {
        "model": request.model,
        **{key: value for key, value in optional.items() if value is not None},
    }


def thinking(request: ChatRequest, style: ThinkingStyle) -> dict[str, Any]:
    """K3 takes an effort and no `thinking`; K2.7 takes nothing; K2.6 can be switched and keeps what it thought if told to.

    K2.6 was documented not to think while it searches: so it does only if the user asked for a level.
    """
    level = request.thinking
    if style == "effort":
        return {"reasoning_effort": EFFORT[level]} if level else {}
    if style != "toggle":
        return {}
    if level == "minimal" or (level is None and request.web_search):
        return {"thinking": {"type": "disabled"}}
    if any(message.reasoning for message in request.messages):
        return {"thinking": {"type": "enabled", "keep": "all"}}
    return {"thinking": {"type": "enabled"}} if level else {}


def _search_tool() -> Json:
    return {"type": "builtin_function", "function": {"name": OWN_SEARCH}}


def _refuse_public_links(messages: tuple[Message, ...]) -> None:
    for message in messages:
        for image in message.images:
            if not image.url.startswith(("data:", "ms://")):
                raise ProviderRefusedError(
                    "Kimi takes images as data: URLs or ms:// ids, not as public links: send the file itself",
                    details={"reason": "bad_request"},
                )


def count_tokens(model: str, messages: tuple[Message, ...]) -> Asked:
    return Asked(
        path="/tokenizers/estimate-token-count",
        body={"model": model, "messages": messages_json(messages)},
    )


def counted_tokens(body: bytes) -> int:
    return _count(body).data.total_tokens


def balance(body: bytes, *, currency: str) -> Balance:
    money = _money(body).data
    return Balance(available=money.available_balance, currency=currency)


@structs.frozen
class _Tokens:
    total_tokens: int


@structs.frozen
class _Count:
    data: _Tokens


@structs.frozen
class _Balances:
    available_balance: float


@structs.frozen
class _Money:
    data: _Balances


_count: Final = reader(_Count)
_money: Final = reader(_Money)
