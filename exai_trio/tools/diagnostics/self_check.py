"""self-check: looks at what EXAI needs and says what is wrong and how to mend it."""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import diagnosis, rendering


@structs.frozen(kw_only=True)
class Arguments:
    """What self-check takes."""

    log_lines: Annotated[int, Meta(ge=0, le=1000, description="Log lines to show")] = 20


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    findings = await diagnosis.examine(services)
    faults = sum(bool(finding.fault) for finding in findings)
    lines = [
        rendering.headline(services.daemon.health()),
        f"{faults} of {len(findings)} checks found a fault" if faults else "no fault found",
    ]
    lines += rendering.section("Checks", map(str, findings))
    log = await services.daemon.log_tail(arguments.log_lines, caller.principal)
    lines += rendering.section("Log", log)
    return envelope.simple("self-check", "\n".join(lines), metadata={"faults": faults})


TOOL = Tool(
    name="self-check",
    description="Looks for faults in EXAI's set-up, each with its remedy.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
    extra_arguments_allowed=True,
)
