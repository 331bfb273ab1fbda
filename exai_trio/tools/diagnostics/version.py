"""version: which EXAI answers, on what; and which model a name stands for, if one is given."""

import platform
from typing import Annotated

from msgspec import Meta

from exai_trio import __version__, structs
from exai_trio.tools import envelope
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import rendering


@structs.frozen(kw_only=True)
class Arguments:
    """What version takes."""

    model: Annotated[str, Meta(description="Also say which model this name stands for")] = ""


async def run(arguments: Arguments, _caller: Caller, services: Services) -> Answer:
    lines = [
        rendering.headline(services.daemon.health() | {"version": __version__}),
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
    ]
    if arguments.model:
        choice = services.gateway.choose(arguments.model)
        notice = f" ({choice.notice})" if choice.notice else ""
        lines.append(f"{arguments.model} stands for {model_choice.address(choice)}{notice}")
    return envelope.simple("version", "\n".join(lines), metadata={"version": __version__})


TOOL = Tool(
    name="version",
    description="The version of EXAI and what it runs on.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
)
