"""toolcall_log_tail: the newest calls of toolcalls.jsonl, as they were logged: cut short and redacted."""

from pathlib import Path
from typing import Annotated

import trio
from msgspec import Meta

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.observability.tail import newest_lines_of
from exai_trio.observability.toolcalls import FILE_NAME
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.workspace.path_policy import shown


@structs.frozen(kw_only=True)
class Arguments:
    """What toolcall_log_tail takes."""

    n: Annotated[int, Meta(ge=1, le=200)] = 20
    path: str = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    log = services.config.logs / FILE_NAME
    if arguments.path:
        log = await trio.to_thread.run_sync(_checked, arguments.path, log)
    lines = await trio.to_thread.run_sync(newest_lines_of, log, arguments.n, caller.principal)
    return envelope.simple(
        "toolcall_log_tail",
        "\n".join(lines) or "no call has been logged yet",
        metadata={"path": str(log), "lines": len(lines)},
    )


def _checked(given: str, log: Path) -> Path:
    """The log itself, or the file it was rotated to; there is nothing else to be read here."""
    allowed = (log, log.with_name(f"{log.name}.1"))
    try:
        wanted = Path(given).resolve()
        found = [path for path in allowed if given == path.name or path.resolve() == wanted]
    except (OSError, ValueError, RuntimeError):
        found = []
    if not found:
        raise ArgumentError(
            f"{shown(given)!r} is not EXAI's log of calls. Leave path out, or name {log.name} or {log.name}.1.",
            details={"field": "path", "value": shown(given), "allowed": [p.name for p in allowed]},
        )
    return found[0]


TOOL = Tool(
    name="toolcall_log_tail",
    description="The newest tool calls: arguments (redacted), outcome, time taken.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
    extra_arguments_allowed=True,
)
