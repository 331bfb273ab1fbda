"""GLM (Z.ai, and bigmodel.cn in China) as a dialect: request bodies, error codes, side services. Pure.

GLM is routed by the code in its errors: the HTTP status says little, and errors also come inside a 200.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from exai_trio import structs
from exai_trio.errors import ProviderAuthError, ProviderBusyError, ProviderQuotaError

from ..answers.lenient_records import Unreadable
from ..answers.records import reader
from ..base import ChatRequest, Message, ThinkingLevel
from ..catalogue import ModelInfo, ThinkingStyle
from ..refusals import common_verdicts
from ..refusals.provider_errors import Complaint, Verdict
from .dialect import Asked, Dialect, Json
from .request_body import messages_json, output_limit, request_id

# where the vendor's Chinese service is
CHINA: Final = "bigmodel.cn"
FILE_LIMIT: Final = 100 * 1024 * 1024

_ACCOUNT = Verdict(ProviderAuthError, "account", "look at the account in the vendor's console")
_DUPLICATE = Verdict(ProviderBusyError, "duplicate_request_id")
_WINDOW = Verdict(ProviderQuotaError, "plan_window", "the message says when it resets")
_PLAN = Verdict(ProviderQuotaError, "plan", "look at the plan in the vendor's console")

CODES: Final[Mapping[str, Verdict]] = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), common_verdicts.auth("GLM")),
    **dict.fromkeys(("1110", "1111", "1112", "1120", "1121"), _ACCOUNT),
    "1113": common_verdicts.BALANCE,
    **dict.fromkeys(("1210", "1212", "1213", "1214", "1215"), common_verdicts.BAD_REQUEST),
    "1211": common_verdicts.UNKNOWN_MODEL,
    **dict.fromkeys(("1220", "1221", "1222"), common_verdicts.FORBIDDEN),
    "1261": common_verdicts.TOO_LONG,
    "1230": common_verdicts.UNAVAILABLE,
    "1231": _DUPLICATE,
    "1234": common_verdicts.NETWORK,
    **dict.fromkeys(("1300", "1301"), common_verdicts.POLICY),
    "1302": common_verdicts.CONCURRENCY,
    "1303": common_verdicts.RATE_LIMIT,
    "1304": common_verdicts.DAILY_QUOTA,
    **dict.fromkeys(("1305", "1312"), common_verdicts.OVERLOADED),
    **dict.fromkeys(("1308", "1310", "1316", "1317", "1318", "1319", "1320", "1321"), _WINDOW),
    **dict.fromkeys(("1309", "1311", "1313"), _PLAN),
    "500": common_verdicts.UNAVAILABLE,
}

# Models that always think take an effort only; "minimal" and "medium" are not among their words.
ALWAYS_EFFORT: Final[Mapping[ThinkingLevel, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "max": "max",
}
# Where thinking can be off, the service itself takes low and medium for high.
OPTIONAL_EFFORT: Final[Mapping[ThinkingLevel, str]] = {
    "low": "high",
    "medium": "high",
    "high": "high",
    "max": "max",
}


def glm_dialect(base_url: str) -> Dialect:
    china = CHINA in base_url
    return Dialect(
        title="GLM",
        capabilities=frozenset({"chat", "count_tokens", "files", "web_search"}),
        chat_body=partial(chat_body, engine="search_pro" if china else "search_pro_jina"),
        judge=judge,
        currency="CNY" if china else "USD",
        count_tokens=count_tokens,
        counted_tokens=counted_tokens,
        found=found,
        web_search=partial(web_search, engine="search_pro" if china else "search-prime"),
        file_text=file_text,
        file_limit=FILE_LIMIT,
    )


def judge(complaint: Complaint) -> Verdict | None:
    return CODES.get(complaint.code)


def chat_body(request: ChatRequest, model: ModelInfo, *, engine: str) -> dict[str, Any]:
    """Tools, system, history in front and what differs from call to call last, so that the cached prefix stays."""
    tools = [*request.tools, *([_search_tool(engine)] if request.web_search else [])]
    optional = {
        "tools": tools or None,
        "tool_choice": request.tool_choice,
        "messages": messages_json(request.messages),
        "stream": True,
        "max_tokens": output_limit(request, model),
        "temperature": request.temperature,
        **thinking(request.thinking, model.thinking),
        "request_id": request_id(request) or None,
    }
    return {
        "model": request.model,
        **{key: value for key, value in optional.items() if value is not None},
    }


def thinking(level: ThinkingLevel | None, style: ThinkingStyle) -> dict[str, Any]:
    """The fields for a level; nothing where the user named none, and nothing for models we do not know."""
    if level is None or style in {"none", "always"}:
        return {}
    if style == "effort":
        return {"reasoning_effort": ALWAYS_EFFORT[level]}
    if level == "minimal":
        return {"thinking": {"type": "disabled"}}
    effort = {"reasoning_effort": OPTIONAL_EFFORT[level]} if style == "toggle_effort" else {}
    return {"thinking": {"type": "enabled"}, **effort}


def _search_tool(engine: str) -> Json:
    return {
        "type": "web_search",
        "web_search": {"enable": True, "search_engine": engine, "search_result": True},
    }


def count_tokens(model: str, messages: tuple[Message, ...]) -> Asked:
    return Asked(path="/tokenizer", body={"model": model, "messages": messages_json(messages)})


def counted_tokens(body: bytes) -> int:
    usage = _count(body).usage
    counted = usage.prompt_tokens or usage.total_tokens
    if counted is None:
        raise Unreadable("usage")
    return counted


def web_search(query: str, options: Json, *, engine: str) -> Asked:
    """`options` are the vendor's own fields; "all", which our users know, is the vendor's "noLimit"."""
    body = {"search_engine": engine, "search_query": query, **options}
    if body.get("search_recency_filter") == "all":
        body["search_recency_filter"] = "noLimit"
    return Asked(path="/web_search", body=body)


def found(body: bytes) -> tuple[Json, ...]:
    """The results of a stand-alone search."""
    return tuple(_found(body).search_result or ())


def file_text(body: bytes) -> bytes:
    """GLM wraps a file's text in JSON; whatever is not wrapped is the file itself."""
    try:
        return _wrapped(body).content.encode()
    except Unreadable:
        return body


@structs.frozen
class _Tokens:
    prompt_tokens: int | None = None
    total_tokens: int | None = None


@structs.frozen
class _Count:
    usage: _Tokens


@structs.frozen
class _Found:
    search_result: list[dict[str, Any]] | None = None


@structs.frozen
class _Wrapped:
    content: str


_count: Final = reader(_Count)
_found: Final = reader(_Found)
_wrapped: Final = reader(_Wrapped)
