"""`exai usage`: calls, tokens and costs by model, tool, project, principal or day, from what the daemon has kept.

It opens the store itself, whether or not a daemon runs.
"""

from collections.abc import Sequence
from typing import Any, Final

import trio

from exai_trio.commands import tool_usage_command
from exai_trio.commands.access import quota_use
from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.watching.open_home import kept_in
from exai_trio.config import Config
from exai_trio.storage.sqlite.watching.metric_history_rows import SqliteHistory
from exai_trio.storage.watching.metric_history import Used
from exai_trio.storage.watching.usage_sums import usage_rows
from exai_trio.system.clock import unix_now
from exai_trio.tools.diagnostics.log_lines import moment

_COUNTED: Final = ("calls", "failures", "input", "cached", "output", "reasoning", "cost")


def main(started: Started) -> int:
    asked = started.arguments
    if asked.action == "tools":
        return tool_usage_command.main(started)
    console = Console.of_process(started.environ)
    config, now = started.loaded.config, unix_now()
    if asked.of is not None:
        return quota_use.show(config, console, asked.of, as_json=asked.json)
    since = moment(asked.since, now, "--since")
    used = trio.run(_used_since, config, since)
    rows = usage_rows(used, asked.by)
    if asked.json:
        console.say_json({"rows": rows})
        return 0
    if not rows:
        console.note(f"exai: no usage is noted in {config.state / 'exai.db'} of this time")
    # programs want lines that begin with a name
    head = [(*asked.by, *_COUNTED)] if console.screen else []
    console.say(columns([*head, *(_row(row, asked.by) for row in rows)], console.width))
    return 0


async def _used_since(config: Config, since: float) -> tuple[Used, ...]:
    return await kept_in(config, lambda store: SqliteHistory(store).usage(since))


def _row(row: dict[str, Any], by: Sequence[str]) -> tuple[str, ...]:
    tokens = (f"{name}_tokens" for name in ("input", "cached", "output", "reasoning"))
    counts = (str(row["calls"]), str(row["failures"]), *(_shown(row[name]) for name in tokens))
    return (*(row[name] or "-" for name in by), *counts, _cost(row))


def _shown(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _cost(row: dict[str, Any]) -> str:
    known = [] if row["cost"] is None else [f"{row['cost']:.4f} {row['currency']}"]
    return (
        " + ".join([*known, *([f"{row['unpriced']} unpriced"] if row["unpriced"] else [])]) or "-"
    )
