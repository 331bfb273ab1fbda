#!/usr/bin/env -S .venv/bin/python
"""What terminals cost, beside a bare pseudo-terminal, a bare WebSocket and terminado in the same run: met or missed.

`python scripts/bench_terminals.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bench.command import main
from bench.report import Row
from bench.terminal_rows import flood, latency, load, memory

MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "flood": flood.flood,
    "echo": latency.echo,
    "first-byte": latency.first_byte,
    "interrupt": latency.interrupt,
    "back": latency.back,
    "crowd": load.crowd,
    "beside": load.beside,
    "failures": load.failures,
    "off": load.off,
    "memory": memory.memory,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
