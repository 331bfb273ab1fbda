"""Any other OpenAI-compatible endpoint as a dialect: the common ground, nothing a vendor invented. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from exai_trio.errors import ProviderAuthError

from ..base import ChatRequest, ThinkingLevel
from ..catalogue import ModelInfo
from ..refusals import common_verdicts
from ..refusals.provider_errors import Complaint, Verdict
from .dialect import Dialect
from .request_body import messages_json, output_limit

CODES: Final[Mapping[str, Verdict]] = {
    "context_length_exceeded": common_verdicts.TOO_LONG,
    "exceed_context_size_error": common_verdicts.TOO_LONG,  # llama-server's
    "insufficient_quota": common_verdicts.BALANCE,
    "invalid_api_key": Verdict(ProviderAuthError, "auth", "check the key"),
    "model_not_found": common_verdicts.UNKNOWN_MODEL,
    "content_filter": common_verdicts.POLICY,
}
EFFORT: Final[Mapping[ThinkingLevel, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "high",
}


def plain_dialect(title: str) -> Dialect:
    return Dialect(
        title=title,
        capabilities=frozenset({"chat", "list_models"}),
        chat_body=chat_body,
        judge=judge,
    )


def judge(complaint: Complaint) -> Verdict | None:
    return CODES.get(complaint.code) or CODES.get(complaint.type)


def chat_body(request: ChatRequest, model: ModelInfo) -> dict[str, Any]:
    effort = EFFORT[request.thinking] if request.thinking and model.thinking == "effort" else None
    optional = {
        "tools": list(request.tools) or None,
        "tool_choice": request.tool_choice,
        "messages": messages_json(request.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": output_limit(request, model),
        "temperature": request.temperature,
        "reasoning_effort": effort,
    }
    return {
        "model": request.model,
        **{key: value for key, value in optional.items() if value is not None},
    }
