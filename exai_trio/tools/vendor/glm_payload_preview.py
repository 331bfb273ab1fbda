"""glm_payload_preview: the body that GLM would be sent for a question.

Nothing is sent, no key is needed.
"""

from typing import Annotated, Any

from msgspec import Meta

from exai_trio import structs
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.tools import envelope
from exai_trio.tools.arguments import concerning
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.vendor import raw_messages


@structs.frozen(kw_only=True)
class Arguments:
    """What glm_payload_preview takes."""

    prompt: Annotated[str, Meta(min_length=1)]
    model: str = "glm-4.5-flash"  # audit: model, because it is the tool's published default
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.3
    system_prompt: str = ""
    use_websearch: bool = False
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    system = [Message(role="system", text=arguments.system_prompt)]
    request = ChatRequest(
        model=arguments.model,
        messages=(
            *(system if arguments.system_prompt else ()),
            Message(role="user", text=arguments.prompt),
        ),
        temperature=arguments.temperature,
        web_search=arguments.use_websearch,
        tools=arguments.tools,
        tool_choice=raw_messages.tool_choice(arguments.tool_choice),
        idempotency_key=caller.idempotency_key,
    )
    with concerning("model"):
        body = services.gateway.preview(request)
    return envelope.as_json("glm_payload_preview", body, metadata={"sent": False})


TOOL = Tool(
    name="glm_payload_preview",
    description="Show what GLM would be sent; sends nothing.",
    arguments=Arguments,
    seldom=frozenset({"system_prompt", "temperature", "tool_choice", "use_websearch"}),
    run=run,
    repeatable=True,
    reports=True,
    visibility="advanced",
)
