"""activity: what EXAI did lately: finished tool calls, or the daemon's log, by time and pattern."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import trio
from msgspec import Meta

from exai_trio import structs
from exai_trio.observability.tail import newest_lines_of
from exai_trio.observability.toolcalls import FILE_NAME
from exai_trio.tools import envelope
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import log_lines
from exai_trio.tools.diagnostics.log_lines import Period, Source

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
    period = log_lines.period(arguments.since, arguments.until, services.now())
    log_lines.check(arguments.filter)
    find = partial(_lines, arguments, services.config.logs, caller.principal, period)
    source, lines = await trio.to_thread.run_sync(find)
    if arguments.filter and not log_lines.is_plain(arguments.filter):
        lines = await log_lines.matching(lines, arguments.filter)
    return _answer(arguments, source, lines[-arguments.lines :])


def _lines(
    arguments: Arguments, logs: Path, principal: str, period: Period
) -> tuple[Source, list[str]]:
    """The principal's of this time, of the source asked for; `auto` is the calls, or the daemon's log where none has been logged. Of a plain
    text only those that have it. Blocking: for a thread."""
    chooses = bool(arguments.filter) or period != log_lines.ALWAYS
    count = _LOOKED_AT if chooses else arguments.lines
    source: Source = "server" if arguments.source == "server" else "activity"
    lines = newest_lines_of(logs / _FILES[source], count, principal)
    if not lines and arguments.source == "auto":
        source = "server"
        lines = newest_lines_of(logs / _FILES[source], count, principal)
    if period != log_lines.ALWAYS:
        lines = log_lines.within(lines, period)
    if log_lines.is_plain(arguments.filter):
        lines = log_lines.with_text(lines, arguments.filter)
    return source, lines


def _answer(arguments: Arguments, source: Source, lines: list[str]) -> Answer:
    facts = {"lines": len(lines), "source": source if lines else arguments.source}
    if arguments.structured:
        found = [log_lines.as_json(line, source) for line in lines]
        return envelope.as_json("activity", found, metadata=facts)
    return envelope.simple("activity", "\n".join(lines) or "nothing was logged", metadata=facts)


TOOL = Tool(
    name="activity",
    description="What EXAI did lately, from its logs.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
)
