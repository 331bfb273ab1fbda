"""kimi_chat_with_tools: Kimi's chat as it is: messages, tools and tool calls in the service's own JSON.

Runs no tool itself.
"""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from exai_trio import structs
from exai_trio.providers.base import ChatRequest
from exai_trio.tools import envelope
from exai_trio.tools.asking import ask_model, model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.vendor import raw_messages

if TYPE_CHECKING:
    from exai_trio.providers.gateway import ChatAnswer


@structs.frozen(kw_only=True)
class Arguments:
    """What kimi_chat_with_tools takes."""

    messages: Annotated[
        tuple[raw_messages.RawMessage, ...], Meta(min_length=1, description="Or a text")
    ]
    model: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str = ""
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.6
    stream: bool = False
    use_websearch: bool = False


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    messages = raw_messages.messages(arguments.messages)
    images = any(message.images for message in messages)
    need = model_choice.Need(
        images=images,
        tools=bool(arguments.tools),
        tokens=ask_model.size("\n".join(message.text for message in messages)),
    )
    choice = model_choice.of_provider(services, "kimi", arguments.model, need)
    request = ChatRequest(
        model=choice.model.name,
        messages=messages,
        temperature=arguments.temperature,
        web_search=arguments.use_websearch,
        tools=arguments.tools,
        tool_choice=raw_messages.tool_choice(arguments.tool_choice) if arguments.tools else None,
        idempotency_key=caller.idempotency_key,
    )
    answer = await ask_model.ask(services, choice, request, caller)
    return envelope.simple(
        "kimi_chat_with_tools",
        answer.text,
        metadata=model_choice.facts(answer, arguments.model),
        usage=model_choice.usage(answer),
        more={"finish_reason": answer.finish_reason, **_calls(answer)},
    )


def _calls(answer: "ChatAnswer") -> dict[str, Any]:
    """With the reasoning, which Kimi wants back when the tools have answered."""
    if not answer.tool_calls:
        return {}
    calls = [
        {
            "id": call.id,
            "type": call.type,
            "function": {"name": call.name, "arguments": envelope.whole_characters(call.arguments)},
        }
        for call in answer.tool_calls
    ]
    return {"tool_calls": calls, "reasoning_content": envelope.whole_characters(answer.reasoning)}


TOOL = Tool(
    name="kimi_chat_with_tools",
    description="Kimi's raw chat with function calls; you run the tools.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    visibility="advanced",
    asks_model=True,
    seldom=frozenset({"stream", "temperature"}),
)
