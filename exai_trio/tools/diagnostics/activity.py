"""activity: what EXAI did lately: finished tool calls, or the daemon's log, by time and pattern."""

from functools import partial
from typing import Annotated, Literal

import trio
from msgspec import Meta

from exai_trio import structs
from exai_trio.observability.tail import newest_lines_of
from exai_trio.observability.toolcalls import FILE_NAME
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import log_lines
from exai_trio.tools.diagnostics.log_lines import LogLine, Source

_FILES: dict[Source, str] = {"activity": FILE_NAME, "server": "ws_daemon.log"}
_LOOKED_AT = 20_000  # lines among which times and patterns choose


@structs.frozen(kw_only=True)
class Arguments:
    """What activity takes."""

    lines: Annotated[int, Meta(ge=10, le=5000)] = 200
    filter: Annotated[str, Meta(description="Regular expression")] = ""
    source: Literal["auto", "activity", "server"] = "auto"
    since: Annotated[str, Meta(description="Time, or 15m, 2h")] = ""
    until: str = ""
    structured: bool = False


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    now = services.now()
    since = log_lines.moment(arguments.since, now, "since") if arguments.since.strip() else None
    until = log_lines.moment(arguments.until, now, "until") if arguments.until.strip() else None
    chooses = bool(arguments.filter or since is not None or until is not None)
    count = _LOOKED_AT if chooses else arguments.lines
    found = await _lines(arguments, caller.principal, services, count)
    kept = [
        line
        for line in found
        if (since is None or line.at >= since) and (until is None or line.at <= until)
    ]
    if arguments.filter:
        kept = await log_lines.matching(kept, arguments.filter)
    return _answer(arguments, kept[-arguments.lines :])


async def _lines(
    arguments: Arguments, principal: str, services: Services, count: int
) -> list[LogLine]:
    """The principal's, of the source asked for; `auto` is the calls, or the daemon's log where none has been logged."""
    wanted: tuple[Source, ...] = (
        ("activity", "server") if arguments.source == "auto" else (arguments.source,)
    )
    lines: list[LogLine] = []
    for source in wanted:
        path = services.config.logs / _FILES[source]
        texts = await trio.to_thread.run_sync(partial(newest_lines_of, path, count, principal))
        lines = log_lines.read(texts, source)
        if lines:
            break
    return lines


def _answer(arguments: Arguments, lines: list[LogLine]) -> Answer:
    facts = {"lines": len(lines), "source": lines[-1].source if lines else arguments.source}
    if arguments.structured:
        return envelope.as_json("activity", [line.as_json() for line in lines], metadata=facts)
    text = "\n".join(line.text for line in lines)
    return envelope.simple("activity", text or "nothing was logged", metadata=facts)


TOOL = Tool(
    name="activity",
    description="What EXAI did lately, from its logs.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
)
