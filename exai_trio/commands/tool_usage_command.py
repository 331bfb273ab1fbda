"""`exai usage tools`: what became of each tool, from the calls that the daemon has kept.

It opens the store itself, whether or not a daemon runs.
"""

from typing import Any

import trio

from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.watching.open_home import kept_in
from exai_trio.config import Config
from exai_trio.observability.events import CallEnded
from exai_trio.observability.times import rfc3339
from exai_trio.observability.tool_usage import DAY_S, ToolUsage, usage_of_tools
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.system.clock import unix_now
from exai_trio.tools.base import Deprecation
from exai_trio.tools.registry import BUILT_IN

_DATE = 10  # characters of a time


def main(started: Started) -> int:
    asked = started.arguments
    console = Console.of_process(started.environ)
    config, now = started.loaded.config, unix_now()
    since = now - asked.days * DAY_S
    calls = trio.run(_calls_since, config, since)
    usage = usage_of_tools(calls, [tool.name for tool in BUILT_IN], now, asked.days)
    if asked.json:
        console.say_json([_as_json(each) for each in usage])
        return 0
    if not calls:
        console.note(f"exai: no calls are noted in {config.state / 'exai.db'} of these days")
    head = [_HEAD] if console.screen else []  # programs want lines that begin with a name
    console.say(columns([*head, *map(_row, usage)], console.width))
    return 0


async def _calls_since(config: Config, since: float) -> tuple[CallEnded, ...]:
    return await kept_in(config, lambda store: SqliteCalls(store).since(since))


_HEAD = ("tool", "calls", "sessions", "last used", "failures", "p95", "cost", "verdict")


def _row(usage: ToolUsage) -> tuple[str, ...]:
    gone = _deprecation(usage.tool)
    return (
        usage.tool,
        str(usage.calls),
        str(usage.sessions),
        rfc3339(usage.last_used)[:_DATE] if usage.last_used is not None else "-",
        str(usage.failures),
        f"{usage.p95_ms:,.0f} ms" if usage.p95_ms is not None else "-",
        _cost(usage),
        usage.verdict + (f"; deprecated since {gone.since}, use {gone.instead}" if gone else ""),
    )


def _cost(usage: ToolUsage) -> str:
    parts = [f"{value:.4f} {currency}" for currency, value in sorted(usage.cost.items())]
    return " + ".join([*parts, *([f"{usage.unpriced} unpriced"] if usage.unpriced else [])]) or "-"


def _as_json(usage: ToolUsage) -> dict[str, Any]:
    gone = _deprecation(usage.tool)
    return {
        "tool": usage.tool,
        "calls": usage.calls,
        "sessions": usage.sessions,
        "last_used": rfc3339(usage.last_used) if usage.last_used is not None else None,
        "failures": usage.failures,
        "p95_ms": usage.p95_ms,
        "cost": usage.cost,
        "unpriced": usage.unpriced,
        "verdict": str(usage.verdict),
        "deprecated": {"since": gone.since, "instead": gone.instead} if gone else None,
    }


def _deprecation(name: str) -> Deprecation | None:
    return next((tool.deprecated for tool in BUILT_IN if tool.name == name), None)
