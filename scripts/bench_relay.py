#!/usr/bin/env -S .venv/bin/python
"""How fast and how large EXAI is, beside the floor in the same run: what is asked for, what was measured, met or missed.

`python scripts/bench_relay.py [--quick] [--only NAME] [--peers] [--json FILE] [--check]`; `--peers` measures relays from npm and
LiteLLM's proxy from pip instead, where these can fetch them. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Final

from bench.command import main
from bench.report import Row


def _of(module: str, name: str) -> Callable[..., Iterable[Row]]:
    """Loaded when it is taken: an earlier commit may not have what the others need."""

    def measure(*, quick: bool) -> Iterable[Row]:
        found: Iterable[Row] = getattr(import_module(f"bench.{module}"), name)(quick=quick)
        return found

    return measure


MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "start": _of("relay", "start"),
    "memory": _of("relay", "memory"),
    "echo": _of("relay", "echo"),
    "load": _of("relay", "load"),
    "journal": _of("relay", "journal"),
    "loaded": _of("loaded", "loaded"),
    "ping": _of("streaming", "ping"),
    "cold": _of("daemon", "cold"),
    "restart": _of("restart", "restart"),
    "idle": _of("daemon", "idle"),
    "chat": _of("gateway", "chat"),
    "day": _of("day", "day"),
}
PEERS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "relays": _of("relays", "relays"),
    "proxies": _of("proxies", "proxies"),
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS, PEERS)
