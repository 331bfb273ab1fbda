"""A line in the access log for each change that a command has made or tried; `exai token` writes its own, terminals have a log of theirs."""

from typing import Final

from exai_trio.access.access_log import append_line
from exai_trio.commands.invocation import Started
from exai_trio.principals import OWNER
from exai_trio.system.clock import unix_now

# Commands and actions that change something, and the argument that says what; "" where there is none.
CHANGES: Final = {
    ("threads", "name"): "thread",
    ("threads", "fork"): "thread",
    ("threads", "delete"): "thread",
    ("storage", "restore"): "file",
    ("storage", "migrate"): "",
    ("storage", "copy"): "",
    ("storage", "push"): "",
    ("storage", "retry"): "",
    ("cleanup", ""): "",
    ("alerts", "silence"): "name",
    ("incidents", "investigate"): "incident",
    ("incidents", "resolve"): "incident",
    ("incidents", "reopen"): "incident",
    ("config", "set"): "name",
    ("config", "unset"): "names",
    ("providers", "add"): "name",
    ("providers", "remove"): "name",
    ("stop", ""): "",
    ("restart", ""): "",
}


def note_change(started: Started, result: str) -> None:
    """Where there is a home whose log it could be. Blocks on the disk. Raises OSError: what was done is done."""
    asked = started.arguments
    command, action = asked.command, getattr(asked, "action", None) or ""
    named = CHANGES.get((command, action))
    logs = started.loaded.config.logs
    if named is None or getattr(asked, "dry_run", False) or not logs.is_dir():
        return
    on = getattr(asked, named) if named else ""
    what = f"exai {command} {action}".strip()
    facts = {"who": OWNER, "on": on if isinstance(on, str) else " ".join(map(str, on))}
    append_line(logs, unix_now(), "changed", what=what, result=result, **facts)
