"""The bundled simulator as a process of its own, for as long as a measurement asks it."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .processes import child, environment, home, ours, read_line


@contextmanager
def simulator() -> Generator[tuple[str, Path]]:
    """Its origin, and the file in which it writes down every request. Raises NotMeasured."""
    with home() as where:
        log = where / "requests.jsonl"
        command = ours("simulate", "--port", "0", "--until-eof", "--request-log", str(log))
        with child(command, environment(where), where) as process:
            yield json.loads(read_line(process))["simulator"], log
