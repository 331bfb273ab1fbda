"""Lines of the logs: the newest ones, and those about an id that an error names, in older files too.

Blocking.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

from exai_trio.system.private_files import open_at_once

DAEMON: Final = "ws_daemon.log"
_SEARCHED: Final = (DAEMON, "ws_shim.log", "toolcalls.jsonl")
_REQUEST: Final = re.compile(r"request_id\"?[:=]\s*\"?([\w.:-]{6,})")
_SHORTEST_ID: Final = 4  # characters; less would be in every line


def newest(folder: Path, most: int) -> list[str]:
    """The last lines of the daemon's log, oldest first. None if there is no log."""
    return list(deque(_lines(folder, DAEMON), most))


def about(folder: Path, wanted: str) -> list[str]:
    """Every line that names the id, and those of the same request."""
    if len(wanted) < _SHORTEST_ID:
        return []
    named = [line for name in _SEARCHED for line in _lines(folder, name) if wanted in line]
    ids = {wanted, *(found[1] for line in named if (found := _REQUEST.search(line)))}
    return [
        line
        for name in _SEARCHED
        for line in _lines(folder, name)
        if any(each in line for each in ids)
    ]


def _lines(folder: Path, name: str) -> Iterator[str]:
    for path in _rotated(folder, name):
        try:
            with open_at_once(path) as file:
                for line in file:
                    yield line.decode(errors="replace").rstrip("\n")
        except OSError:
            # audit: silent-loop, because a log that cannot be read is another check's finding
            continue


def _rotated(folder: Path, name: str) -> Iterable[Path]:
    """Oldest first: name.5 … name.1, then the one that is written."""
    older = [path for path in folder.glob(f"{name}.*") if path.suffix[1:].isdigit()]
    return [*sorted(older, key=lambda path: -int(path.suffix[1:])), folder / name]


def readable(line: str) -> str:
    """A line of JSON as a person reads it; any other as it is."""
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(found, dict):
        return line
    fields = cast("dict[str, Any]", found)
    head = [
        str(fields.pop(name))
        for name in ("t", "level", "logger", "event", "tool")
        if name in fields
    ]
    return " ".join([*head, *(f"{name}={_flat(value)}" for name, value in fields.items())])


def _flat(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
