#!/usr/bin/env -S .venv/bin/python
"""What MCP over HTTP costs, and daemons that share a PostgreSQL: what is asked for, what was measured, met or missed.

`python scripts/bench_reach.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed. Containers are measured by scripts/container, deaths and restarts
of a team by `scripts/chaos.py team-kill team-freeze team-rolling`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bench import reach, team
from bench.command import main
from bench.report import Row

MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "echo": reach.echo,
    "memory": reach.memory,
    "journal": team.journal,
    "throughput": team.throughput,
    "elsewhere": team.elsewhere,
    "permits": team.permits,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
