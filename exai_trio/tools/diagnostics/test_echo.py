"""test_echo: gives the prompt back, after a delay if asked.

For load tests: it does next to nothing, on purpose.
"""

from typing import Annotated

import trio
from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool


@structs.frozen(kw_only=True)
class Arguments:
    """What test_echo takes."""

    prompt: Annotated[str, Meta(min_length=1, description="The text to give back")]
    delay_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    include_metadata: bool = False


async def run(arguments: Arguments, caller: Caller, _services: Services) -> Answer:
    if arguments.delay_ms:
        await trio.sleep(arguments.delay_ms / 1000)
    if not arguments.include_metadata:
        return envelope.simple("test_echo", arguments.prompt)
    facts = {
        "delay_ms": arguments.delay_ms,
        "characters": len(arguments.prompt),
        "request_id": caller.request_id,
        "session_id": caller.session_id,
    }
    return envelope.simple("test_echo", arguments.prompt, metadata=facts)


TOOL = Tool(
    name="test_echo",
    description="Gives the prompt back, for load tests. Asks no model.",
    arguments=Arguments,
    run=run,
    repeatable=True,
)
