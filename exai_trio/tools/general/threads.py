"""threads: conversations as a list and as text, and what a word may be completed to.

For the shim, and listed nowhere.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from exai_trio import structs
from exai_trio.observability.times import rfc3339
from exai_trio.storage.base import Summary, Threads
from exai_trio.tools.asking import conversations
from exai_trio.tools.asking.conversations import Thread
from exai_trio.tools.base import Answer, Caller, Services, Tool

_MOST = 40  # as many as somebody looks through; completion finds the others
_LONGEST = 4_000_000  # bytes of UTF-8: longer messages break clients
_TITLE = 80  # characters
_MOST_COMPLETED = 1000  # conversations looked through
_MOST_VALUES = 101  # one more than a client takes: so it is known that there are more


@structs.frozen(kw_only=True)
class Arguments:
    """What threads takes. `value` is the continuation_id (or name) to read, or the beginning of the word to complete."""

    operation: Literal["list", "read", "complete"]
    value: Annotated[str, Meta(max_length=1000)] = ""
    argument: str = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    match arguments.operation:
        case "list":
            return _answer(
                threads=await _listed(services.threads.of(caller.principal), services.now())
            )
        case "read":
            found = await conversations.stored_thread(services, caller, arguments.value)
            return _answer(continuation_id=found.id, content=transcript(found))
        case "complete":
            return _answer(values=await _completed(arguments, caller, services))


def _answer(**facts: object) -> Answer:
    envelope = {"status": "success", "content": "", **facts}
    return Answer(text=msgspec.json.encode(envelope).decode(), structured=envelope)


async def _listed(threads: Threads, now: float) -> list[dict[str, object]]:
    found = await threads.recent(now, _MOST)
    return [_entry(thread) for thread in found]


def _entry(thread: Summary) -> dict[str, object]:
    """`opening` is told where it is not the title."""
    opening = " ".join(thread.opening.split())[:_TITLE]
    return {
        "continuation_id": thread.id,
        "title": thread.name or opening or thread.id,
        **({"opening": opening} if thread.name else {}),
        "turns": thread.turns,
        "last": rfc3339(thread.last_at),
    }


async def _completed(arguments: Arguments, caller: Caller, services: Services) -> list[str]:
    """Of several names for one thing the first that fits."""
    names: list[tuple[str, ...]] = []
    match arguments.argument:
        case "model":
            names = [(model.name,) for model in services.gateway.models()]
        case "continuation_id":
            threads = services.threads.of(caller.principal)
            found = await threads.recent(services.now(), _MOST_COMPLETED)
            names = [tuple(filter(None, (thread.name, thread.id))) for thread in found]
        case _:
            pass
    fitting = (_fitting(each, arguments.value.casefold()) for each in names)
    return list(filter(None, fitting))[:_MOST_VALUES]


def _fitting(names: tuple[str, ...], wanted: str) -> str:
    return next((name for name in names if name.casefold().startswith(wanted)), "")


def transcript(thread: Thread) -> str:
    """The conversation for people, as Markdown."""
    parts = [f"# Conversation {thread.id}"]
    for turn in thread.turns:
        who = f"{turn.tool}, {turn.model}" if turn.role == "assistant" and turn.model else turn.tool
        parts += [f"## {turn.role} ({who}, {rfc3339(turn.at)})", turn.text]
    return "\n\n".join(parts).encode()[:_LONGEST].decode(errors="ignore") + "\n"


TOOL = Tool(
    name="threads",
    description="Conversations as a list, as text, and completion; the shim asks it.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
    punctual=True,
)
