"""health: providers, permits and tools in detail, with the newest log lines."""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import rendering


@structs.frozen(kw_only=True)
class Arguments:
    """What health takes."""

    tail_lines: Annotated[int, Meta(ge=0, le=1000, description="Log lines to show")] = 50


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    health = services.daemon.health()
    known = health.get("providers") or services.gateway.providers()
    lines = [rendering.headline(health), *rendering.overview(health)]
    lines += rendering.section(
        "Providers", rendering.providers(known, leave_out=frozenset({"models"}))
    )
    lines += rendering.section("Tools", [", ".join(services.tool_names())])
    log = await services.daemon.log_tail(arguments.tail_lines, caller.principal)
    lines += rendering.section("Log", log)
    return envelope.simple("health", "\n".join(lines))


TOOL = Tool(
    name="health",
    description="Health of providers, permits and tools.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
)
