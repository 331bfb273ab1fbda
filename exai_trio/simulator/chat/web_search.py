"""Web search and page reading: results made from the query. Pure: no trio, no clock, no I/O."""

import json
from typing import Any

from ..json_fields import a_number, a_text, an_object
from ..vendors.error_bodies import Refused, glm_refusal, kimi_refusal
from .model_answer import CREATED
from .prompt import Prompt, sha

ENGINES = frozenset({
    "search-prime", "search_pro_jina", "search_std", "search_pro", "search_pro_sogou",
    "search_pro_quark", "search_pro_bing",
})  # fmt: skip
RECENCY = frozenset({"", "oneDay", "oneWeek", "oneMonth", "oneYear", "noLimit"})
MAX_RESULTS = 50
USUAL_RESULTS = 10
FORMULA = "moonshot/web-search:latest"
FORMULA_TOOL = "web_search"
QUERY_CHARS = 78


def _results(query: str, count: int, size: str = "medium") -> list[dict[str, Any]]:
    repeats = 8 if size == "high" else 2
    return [
        {
            "title": f"[simulated] result {number} for {query}",
            "content": f"Simulated content {number} about {query}. " * repeats,
            # audit: url, because it is a name that never leads anywhere
            "link": f"https://simulated.invalid/{sha(query)}/{number}",
            "media": "Simulated Press",
            # audit: url, because it is a name that never leads anywhere
            "icon": "https://simulated.invalid/icon.png",
            "refer": f"ref_{number}",
            "publish_date": f"2026-11-{number % 28 + 1:02d}",
        }
        for number in range(1, count + 1)
    ]


def _options(asked: dict[str, Any]) -> tuple[int, str]:
    """Count and content size. Raises: Refused."""
    count = a_number(asked.get("count", USUAL_RESULTS))
    if count is None or not 1 <= count <= MAX_RESULTS:
        raise Refused(glm_refusal("1214", what="count"))
    if a_text(asked.get("search_recency_filter")) not in RECENCY:
        raise Refused(glm_refusal("1214", what="search_recency_filter"))
    size = a_text(asked.get("content_size"))
    if size not in {"", "medium", "high"}:
        raise Refused(glm_refusal("1214", what="content_size"))
    return int(count), size


def glm_chat_search(prompt: Prompt) -> tuple[dict[str, Any], ...]:
    """What GLM found while it answered; shown only where `search_result` asks for it. Raises: Refused."""
    found: list[dict[str, Any]] = []
    for tool in prompt.tools:
        asked = an_object(tool.get("web_search"))
        if tool.get("type") != "web_search" or asked.get("enable") is False:
            continue
        if a_text(asked.get("search_engine") or "search_std") not in ENGINES:
            raise Refused(glm_refusal("1214", what="search_engine"))
        count, size = _options(asked)
        query = a_text(asked.get("search_query")) or prompt.last_user[:QUERY_CHARS]
        if asked.get("search_result") is True:
            found += _results(query, count, size)
    return tuple(found)


def glm_web_search(body: dict[str, Any], number: int) -> dict[str, Any]:
    """The search of its own. Raises: Refused."""
    query = a_text(body.get("search_query"))
    if not query:
        raise Refused(glm_refusal("1213", what="search_query"))
    if a_text(body.get("search_engine")) not in ENGINES:
        raise Refused(glm_refusal("1214", what="search_engine"))
    count, size = _options(body)
    return {
        "id": f"sim-search-{number:06d}",
        "created": CREATED + number,
        "request_id": a_text(body.get("request_id")) or f"sim-request-{number:06d}",
        "search_intent": [{"query": query, "intent": "SEARCH_ALL", "keywords": query}],
        "search_result": _results(query, count, size),
    }


def glm_reader(body: dict[str, Any], number: int) -> dict[str, Any]:
    """A page as text. Raises: Refused."""
    url = a_text(body.get("url"))
    if not url.startswith(("http://", "https://")):
        raise Refused(glm_refusal("1214", what="url"))
    return {
        "id": f"sim-reader-{number:06d}",
        "created": CREATED + number,
        "request_id": a_text(body.get("request_id")) or f"sim-request-{number:06d}",
        "model": "reader",
        "reader_result": {
            "url": url,
            "title": f"[simulated] page {sha(url)}",
            "description": "A page that was not fetched",
            "content": f"[simulated] The content of {url}.",
        },
    }


def formula_tools(formula: str) -> dict[str, Any]:
    """The ordinary function that a formula stands for. Raises: Refused."""
    _known(formula)
    query = {"type": "string", "description": "What to search for"}
    function = {
        "name": FORMULA_TOOL,
        "description": "Search the web (simulated)",
        "parameters": {"type": "object", "properties": {"query": query}, "required": ["query"]},
    }
    return {"object": "list", "tools": [{"type": "function", "function": function}]}


def fiber(formula: str, body: dict[str, Any], number: int) -> dict[str, Any]:
    """One run of a formula; its output is for the model's eyes only. Raises: Refused."""
    _known(formula)
    if body.get("name") != FORMULA_TOOL:
        raise Refused(kimi_refusal("invalid", what=f"function {body.get('name')} is not found"))
    arguments = body.get("arguments")
    query = a_text(_parsed(arguments).get("query"))
    if not query:
        raise Refused(kimi_refusal("invalid", what="arguments must be a JSON string with query"))
    sealed = f"----MOONSHOT ENCRYPTED BEGIN----{sha(query)}----MOONSHOT ENCRYPTED END----"
    return {
        "id": f"fiber-sim-{number:06d}",
        "object": "fiber",
        "formula": formula,
        "status": "succeeded",
        "created_at": CREATED + number,
        "context": {"input": arguments, "encrypted_output": sealed},
    }


def _known(formula: str) -> None:
    if formula != FORMULA:
        raise Refused(
            kimi_refusal("resource_not_found_error", f"formula {formula} not found", status=404)
        )


def _parsed(arguments: object) -> dict[str, Any]:
    try:
        return an_object(json.loads(a_text(arguments)))
    except ValueError:
        # audit: empty-handler, because models write such arguments, and the vendors go on without them
        return {}
