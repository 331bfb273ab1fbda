"""kimi_intent_analysis: has Kimi say what kind of question something is, and who should answer it."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from exai_trio import structs
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.tools import envelope
from exai_trio.tools.asking import ask_model, model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool

if TYPE_CHECKING:
    from exai_trio.providers.gateway import ModelChoice

SYSTEM = """\
Classify the request; do not answer it. Reply with one JSON object and nothing else:
{"needs_websearch": true|false, "complexity": "simple"|"moderate"|"deep", "domain": "<one or two words>", \
"recommended_provider": "GLM"|"KIMI", "recommended_model": "<model name>", "streaming_preferred": true|false}"""

_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_CURRENT = re.compile(
    r"\b(?:today|latest|current|news|recent|release[sd]?|20[23]\d)\b", re.IGNORECASE
)
_LONG = 1_500  # characters of a request that is no simple one
_DEEP = 6_000
_KINDS: dict[str, type] = {
    "needs_websearch": bool,
    "complexity": str,
    "domain": str,
    "recommended_provider": str,
    "recommended_model": str,
    "streaming_preferred": bool,
}


@structs.frozen(kw_only=True)
class Arguments:
    """What kimi_intent_analysis takes."""

    prompt: Annotated[str, Meta(min_length=1)]
    context: str = ""
    use_websearch: bool = False


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    choice = model_choice.of_provider(services, "kimi", "")
    asked = "\n\n".join(filter(None, [arguments.context, arguments.prompt]))
    request = ChatRequest(
        model=choice.model.name,
        messages=(Message(role="system", text=SYSTEM), Message(role="user", text=asked)),
        thinking="minimal",
        web_search=arguments.use_websearch,
        idempotency_key=caller.idempotency_key,
    )
    answer = await ask_model.ask(services, choice, request, caller)
    said = _read(answer.text)
    facts = model_choice.facts(answer, "")
    if len(said) < len(_KINDS):
        missing = ", ".join(name for name in _KINDS if name not in said)
        facts["notice"] = f"estimated by rule, since the model did not say: {missing}"
    intent = {name: said.get(name, value) for name, value in _estimate(asked, choice).items()}
    return envelope.as_json(
        "kimi_intent_analysis", intent, metadata=facts, usage=model_choice.usage(answer)
    )


def _read(text: str) -> dict[str, Any]:
    """The fields of the first JSON object that are of their kind."""
    found = _OBJECT.search(text)
    if found is None:
        return {}
    try:
        said = msgspec.json.decode(found.group(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError):
        # audit: empty-handler, because no fields is the answer, and the caller says so
        return {}
    return {name: said[name] for name, kind in _KINDS.items() if isinstance(said.get(name), kind)}


def _estimate(asked: str, choice: "ModelChoice") -> dict[str, Any]:
    size = len(asked)
    return {
        "needs_websearch": bool(_CURRENT.search(asked)),
        "complexity": "deep" if size > _DEEP else "moderate" if size > _LONG else "simple",
        "domain": "general",
        "recommended_provider": "KIMI",
        "recommended_model": choice.model.name,
        "streaming_preferred": size > _LONG,
    }


TOOL = Tool(
    name="kimi_intent_analysis",
    description="Classify a request: web search, complexity, domain, model.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    asks_model=True,
)
