"""kimi_capture_headers: asks Kimi and shows what its answer says of its prompt cache: headers and cached tokens."""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.observability.redaction import Redaction
from exai_trio.providers.base import ChatRequest
from exai_trio.tools import envelope
from exai_trio.tools.asking import ask_model, model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.vendor import raw_messages

_HIDDEN = frozenset({"set-cookie", "authorization"})


@structs.frozen(kw_only=True)
class Arguments:
    """What kimi_capture_headers takes."""

    messages: Annotated[tuple[raw_messages.RawMessage, ...], Meta(min_length=1)]
    model: str = "kimi-k2-0711-preview"  # audit: model, because it is the tool's published default
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.6
    session_id: str = ""
    call_key: str = ""
    tool_name: str = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    messages = raw_messages.messages(arguments.messages)
    choice = model_choice.of_provider(services, "kimi", arguments.model)
    parts = (arguments.session_id, arguments.tool_name, arguments.call_key)
    cache_key = ":".join(filter(None, parts)) or None
    request = ChatRequest(
        model=choice.model.name,
        messages=messages,
        temperature=arguments.temperature,
        cache_key=cache_key,
        idempotency_key=caller.idempotency_key,
    )
    answer = await ask_model.ask(services, choice, request, caller)
    headers = {name: value for name, value in answer.headers.items() if name not in _HIDDEN}
    captured = {
        "headers": Redaction().value(headers),
        "prompt_cache_key": cache_key,
        "input_tokens": answer.usage.input_tokens,
        "cached_tokens": answer.usage.cached_tokens,
        "answer": envelope.whole_characters(answer.text),
    }
    return envelope.as_json(
        "kimi_capture_headers",
        captured,
        metadata=model_choice.facts(answer, arguments.model),
        usage=model_choice.usage(answer),
    )


TOOL = Tool(
    name="kimi_capture_headers",
    description="Debug Kimi's prompt cache: answer headers and cached tokens.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    asks_model=True,
)
