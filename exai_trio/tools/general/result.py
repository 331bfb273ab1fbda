"""result: the outcome of a call made earlier, from whichever window, or what it does now.

Where calls are kept, the daemon knows.
"""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import statuses
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.statuses import Status
from exai_trio.wire.handles import handle_text

_WAY_BACK_S = 1.0  # what the answer needs of the asker's patience


@structs.frozen(kw_only=True)
class Arguments:
    """What result takes."""

    call_id: Annotated[str, Meta(min_length=1)]
    # the tool's published default
    wait_s: Annotated[float, Meta(ge=0, le=3600)] = 30.0


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    """The call's own answer, word for word, or its fault."""
    wait_s = max(0.0, min(arguments.wait_s, caller.answer_within_s - _WAY_BACK_S))
    caller.stage("waiting", f"waiting for {arguments.call_id}")
    report = await services.calls.report(arguments.call_id.strip(), caller.principal, wait_s)
    if report.fault is not None:
        raise report.fault
    if report.answer is not None:
        return report.answer
    text = handle_text(report.call_id, report.tool, report.elapsed_s, report.doing)
    return Answer(text=text, metadata={"handle": report.call_id})


TOOL = Tool(
    name="result",
    description="The outcome of an earlier call by its call_id, or how far it is.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
    visibility="core",
    output_schema={  # whichever tool's answer it is
        "type": "object",
        "properties": {"status": statuses.schema(Status)},
        "required": ["status"],
    },
    punctual=True,
)
