"""Settings of the older system that mean something else here, or nothing, and what is meant instead. Pure.

The page on coming from it has the same table: scripts/reference.py writes it from here.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

# The older ones, and what is meant instead, as the page shows them.
_TABLE: Final = """\
`ENVIRONMENT=staging` | counts as not set, with a warning: `development`, `production` or `testing`
`ZHIPUAI_API_KEY` | read as `GLM_API_KEY`
`GLM_BASE_URL`, `ZHIPUAI_API_URL`, `ZHIPUAI_BASE_URL` | `GLM_API_URL`
`KIMI_BASE_URL` | `KIMI_API_URL`
`EXAI_WS_TOKEN` empty: everybody gets in | only the daemon's own user gets in, or who knows `state/ws_token`; `EXAI_WS_TOKEN=none` is the old way, on loopback
`EXAI_WS_GLM_MAX_INFLIGHT`, `EXAI_WS_KIMI_MAX_INFLIGHT` | the same names; they count requests to the provider, not calls
`GLM_TIMEOUT_SECS`, `KIMI_TIMEOUT_SECS` | the same names; now until the first byte. A whole stream: `GLM_STREAM_TIMEOUT`, `KIMI_STREAM_TIMEOUT`
`KIMI_STREAM_TIMEOUT_SECS`, `KIMI_CHAT_TOOL_TIMEOUT_SECS`, `KIMI_CHAT_TOOL_TIMEOUT_WEB_SECS`, `KIMI_WEB_SEARCH_TIMEOUT_SECS`, `EX_HTTP_TIMEOUT_SECONDS`, `THINKDEEP_EXPERT_TIMEOUT_SECS` | none of their own: the limits above hold for all
`EXAI_WS_CALL_TIMEOUT` | `SIMPLE_TOOL_TIMEOUT_SECS` and `WORKFLOW_TOOL_TIMEOUT_SECS`; a client's earlier one goes before
`EXAI_WS_PROGRESS_INTERVAL_SECS`, `EXPERT_HEARTBEAT_INTERVAL_SECS` | `EXAI_PROGRESS_INTERVAL_S`
`EXAI_WS_RESULT_TTL`, `EXAI_WS_INFLIGHT_TTL_SECS`, `EXAI_WS_DISABLE_COALESCE_FOR_TOOLS`, `EXAI_WS_RETRY_AFTER_SECS` | nothing to set: a request id is one execution, its outcome is kept 48 h or until acknowledged
`EXAI_WS_COMPAT_TEXT`, `EX_ENSURE_NONEMPTY_FIRST` | always so for clients of protocol 1
`SESSION_TIMEOUT_SECS`, `SESSION_CLEANUP_INTERVAL` | `EXAI_SESSION_GRACE_S`
`SESSION_MAX_CONCURRENT` | `MAX_CONNECTIONS`
`CIRCUIT_BREAKER_FAILURE_THRESHOLD`, `CIRCUIT_BREAKER_RECOVERY_TIMEOUT_SECS` | `CIRCUIT_BREAKER_THRESHOLD`, `CIRCUIT_BREAKER_TIMEOUT_SECS`
`TEST_FILES_DIR`, `EX_ALLOW_RELATIVE_PATHS` | `EXAI_ALLOWED_ROOTS`; paths are absolute
`EXPERT_ANALYSIS_ENABLED`, `DEFAULT_USE_ASSISTANT_MODEL` | the argument `use_assistant_model` of a call
`EXPERT_ANALYSIS_THINKING_MODE`, `EXPERT_ANALYSIS_AUTO_UPGRADE` | the argument `thinking_mode`; no model is changed silently
`EXPERT_ANALYSIS_INCLUDE_FILES`, `EXPERT_ANALYSIS_MAX_FILE_COUNT`, `EXPERT_ANALYSIS_MAX_FILE_SIZE_KB` | nothing to set: an expert always sees the files, as many as its model holds
`DEFAULT_MAX_OUTPUT_TOKENS`, `KIMI_MAX_OUTPUT_TOKENS`, `GLM_MAX_OUTPUT_TOKENS`, `ENFORCE_MAX_TOKENS` | nothing to set: what each model can
`ROUTER_ENABLED`, `KIMI_PREFERRED_MODELS`, `GLM_PREFERRED_MODELS`, `KIMI_DEFAULT_MODEL`, `KIMI_THINKING_MODEL`, `KIMI_SPEED_MODEL` | `DEFAULT_MODEL`, where `auto` lets the router choose; else the argument `model`
`GLM_ENABLE_WEB_BROWSING` | the argument `use_websearch`
`GLM_WEBSEARCH_COUNT`, `GLM_WEBSEARCH_ENGINE`, `GLM_WEBSEARCH_RECENCY`, `GLM_WEBSEARCH_TIMEOUT_SECS`, `GLM_WEBSEARCH_DOMAIN_FILTER`, `GLM_ACCEPT_LANGUAGE` | the arguments of `glm_web_search`
`GLM_STREAM_ENABLED`, `KIMI_STREAM_ENABLED`, `KIMI_STREAM_PRIME_CACHE`, `KIMI_EXTRACT_REASONING` | always streamed; a caller sees it with the argument `stream`
`KIMI_FILES_MAX_SIZE_MB`, `KIMI_MAX_HEADER_LEN`, `KIMI_CACHE_TOKEN_TTL_SECS`, `KIMI_CACHE_TOKEN_LRU_MAX` | nothing to set: the service's own limits and cache
`EMBEDDINGS_PROVIDER`, `KIMI_EMBED_MODEL`, `GLM_EMBED_MODEL`, `GLM_EMBEDDINGS_BASE_URL`, `EXTERNAL_EMBEDDINGS_URL` | no embeddings
`DIAGNOSTICS`, `AGENTIC_ENABLE_LOGGING` | `LOG_LEVEL`
`PERFORMANCE_METRICS_ENABLED`, `METRICS_WINDOW_SIZE`, `METRICS_JSON_ENDPOINT_ENABLED`, `METRICS_JSON_PORT` | [HTTP](../reference/http.md) on `HEALTH_CHECK_PORT`
`CONVERSATION_STORAGE_BACKEND`, `ENABLE_FALLBACK`, `UPLOAD_FILES_IMMEDIATELY` | `STORAGE_BACKEND`: SQLite, which survives restarts
`SUPABASE_*` | `SUPABASE_URL` and `SUPABASE_KEY`, with `STORAGE_BACKEND=supabase`
"""
ROWS: Final = tuple(
    (older, now) for older, _, now in (row.partition(" | ") for row in _TABLE.splitlines())
)
_NAME: Final = re.compile(r"`([A-Z][A-Z0-9_]+)(\*?)")
_LINK: Final = re.compile(r"\[([^]]*)\]\([^)]*\)")


def meant_instead(name: str) -> str:
    """What is said of a setting of the older system; "" for one that it did not have either."""
    for older, now in ROWS:
        if any(
            name == found or (star and name.startswith(found))
            for found, star in _NAME.findall(older)
        ):
            return _LINK.sub(r"\1", now).replace("`", "")
    return ""


def without_meaning(names: Iterable[str], ours: Collection[str]) -> tuple[list[str], list[str]]:
    """Which of these are no settings of EXAI's: lines about those of the older system, and the others' names."""
    foreign = sorted(set(names) - set(ours))
    told = {name: meant_instead(name) for name in foreign}
    lines = [f"{name}: {said}" for name, said in told.items() if said]
    return lines, [name for name, said in told.items() if not said]
