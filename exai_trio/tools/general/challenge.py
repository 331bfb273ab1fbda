"""challenge: wraps a statement so that the agent examines it again instead of agreeing.

Asks no model.
"""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool

WRAPPED = """\
Look at this statement again before you answer. Do not agree out of politeness, and do not object for the sake of it.

> {statement}

1. Say in one sentence what it claims.
2. Check it against what you can see: code, tests, documents, measurements. Name what you looked at.
3. Say what speaks for it and what against it, and what you could not check.
4. Conclude: right, partly right or wrong, and what follows from that."""


@structs.frozen(kw_only=True)
class Arguments:
    """What challenge takes."""

    prompt: Annotated[str, Meta(min_length=1, description="The statement to examine")]


async def run(arguments: Arguments, _caller: Caller, _services: Services) -> Answer:
    statement = arguments.prompt.strip().replace("\n", "\n> ")
    return envelope.simple("challenge", WRAPPED.format(statement=statement))


TOOL = Tool(
    name="challenge",
    description="Have a statement examined critically instead of agreed with.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
)
