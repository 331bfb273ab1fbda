"""status: how the daemon does, at a glance."""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import diagnosis, rendering


@structs.frozen(kw_only=True)
class Arguments:
    """What status takes."""

    tail_lines: Annotated[int, Meta(ge=0, le=1000, description="Log lines to show")] = 30
    include_tools: bool = False
    doctor: Annotated[bool, Meta(description="Look for faults")] = False
    probe: Annotated[bool, Meta(description="Connect to the providers")] = False


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    health = services.daemon.health()
    lines = [rendering.headline(health), *rendering.overview(health)]
    lines += rendering.section(
        "Providers",
        rendering.providers(services.gateway.providers(), leave_out=rendering.NOT_AT_A_GLANCE),
    )
    if arguments.doctor:
        lines += rendering.section("Findings", map(str, await diagnosis.examine(services)))
    if arguments.probe:
        caller.stage("probing", "status: connecting to the providers")
        reached = await diagnosis.probe(services)
        lines += rendering.section("Reachable", reached or ["no provider is configured"])
    if arguments.include_tools:
        lines += rendering.section("Tools", services.tool_names())
    log = await services.daemon.log_tail(arguments.tail_lines, caller.principal)
    lines += rendering.section("Log", log)
    return envelope.simple("status", "\n".join(lines))


TOOL = Tool(
    name="status",
    description="How EXAI does: daemon, providers, permits, newest log lines.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
    visibility="essential",
    extra_arguments_allowed=True,
)
