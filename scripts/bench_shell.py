#!/usr/bin/env -S .venv/bin/python
"""How long somebody at a shell waits: what is asked for, what was measured, met or missed.

`python scripts/bench_shell.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bench import shell
from bench.command import main
from bench.report import Row

MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "tab": shell.tab,
    "help": shell.help_,
    "first-byte": shell.first_byte,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
