"""threads: conversations as a list and as text, and what a word may be completed to. For the shim, and listed nowhere."""

from typing import Annotated, Literal

import attrs
import msgspec
from msgspec import Meta

from exai_trio.errors import NotFoundError
from exai_trio.observability.times import rfc3339
from exai_trio.storage.base import Conversation
from exai_trio.tools.declaration import Answer, Caller, Services, Tool

_MOST = 100
_LONGEST = 4_000_000  # characters: longer messages break clients
_TITLE = 80  # characters
_MOST_VALUES = 101  # one more than a client takes: so it is known that there are more


@attrs.frozen(kw_only=True)
class Arguments:
    """What threads takes. `value` is the continuation_id to read, or the beginning of the word to complete."""

    operation: Literal["list", "read", "complete"]
    value: Annotated[str, Meta(max_length=1000)] = ""
    argument: str = ""


async def run(arguments: Arguments, _caller: Caller, services: Services) -> Answer:
    match arguments.operation:
        case "list":
            return _answer(threads=await _listed(services))
        case "read":
            found = await services.conversations.load(arguments.value, services.now())
            if found is None:
                raise NotFoundError("No conversation has this continuation_id (any more).")
            return _answer(continuation_id=found.id, content=transcript(found))
        case "complete":
            return _answer(values=await _completed(arguments, services))


def _answer(**facts: object) -> Answer:
    envelope = {"status": "success", "content": "", **facts}
    return Answer(text=msgspec.json.encode(envelope).decode(), structured=envelope)


async def _listed(services: Services) -> list[dict[str, object]]:
    found = await services.conversations.recent(services.now(), _MOST)
    return [
        {
            "continuation_id": thread.id,
            "title": " ".join(thread.opening.split())[:_TITLE] or thread.id,
            "turns": thread.turns,
            "last": rfc3339(thread.last_at),
        }
        for thread in found
    ]


async def _completed(arguments: Arguments, services: Services) -> list[str]:
    match arguments.argument:
        case "model":
            names = [model.name for model in services.gateway.models()]
        case "continuation_id":
            found = await services.conversations.recent(services.now(), 1000)
            names = [thread.id for thread in found]
        case _:
            names = []
    wanted = arguments.value.casefold()
    return [name for name in names if name.casefold().startswith(wanted)][:_MOST_VALUES]


def transcript(conversation: Conversation) -> str:
    """The conversation for people, as Markdown."""
    parts = [f"# Conversation {conversation.id}"]
    for turn in conversation.turns:
        who = f"{turn.tool}, {turn.model}" if turn.role == "assistant" and turn.model else turn.tool
        parts += [f"## {turn.role} ({who}, {rfc3339(turn.at)})", turn.text]
    return "\n\n".join(parts)[:_LONGEST] + "\n"


TOOL = Tool(
    name="threads",
    description="Conversations as a list, as text, and completion; the shim asks it.",
    arguments=Arguments,
    run=run,
    punctual=True,
)
