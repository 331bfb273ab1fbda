#!/usr/bin/env -S .venv/bin/python
"""How fast the tools are beside the floor in the same run: what is asked for, what was measured, met or missed.

`python scripts/bench_tools.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bench import chats, prompts, workflows
from bench.command import main
from bench.report import Row

MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "workflow-step": workflows.step,
    "workflows-at-once": workflows.many,
    "files": prompts.files,
    "pings": chats.pings,
    "history": prompts.history,
    "chats-at-once": chats.at_once,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
