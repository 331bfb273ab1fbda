"""`exai access`: who came, who was refused and who changed what, from the access log."""

from typing import Any

from exai_trio.access.access_log import is_of, read_lines
from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started

_TIME = 19  # characters of a time


def main(started: Started) -> int:
    asked, console = started.arguments, Console.of_process(started.environ)
    lines = [line for line in read_lines(started.loaded.config.logs) if is_of(line, asked.of)]
    lines = lines[-asked.lines :]
    if asked.json:
        console.say_json(lines)
    elif lines:
        console.say(columns(map(_row, lines), console.width))
    else:
        console.note("exai: nothing of that is in the access log")
    return 0


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    rest = {name: value for name, value in line.items() if name not in {"t", "event", "who"}}
    facts = " ".join(f"{name}={value}" for name, value in rest.items())
    return (
        str(line.get("t", ""))[:_TIME],
        str(line.get("event", "")),
        str(line.get("who", "-")),
        facts,
    )
