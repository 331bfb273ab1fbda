#!/usr/bin/env -S .venv/bin/python
"""How fast and how large EXAI is, beside the floor in the same run: what is asked for, what was measured, met or missed.

`python scripts/bench_relay.py [--quick] [--only NAME] [--peers] [--json FILE] [--check]`; `--peers` measures relays from npm and
LiteLLM's proxy from pip instead, where these can fetch them. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bench import daemon, day, gateway, loaded, proxies, relay, relays, restart, streaming
from bench.command import main
from bench.report import Row

MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "start": relay.start,
    "memory": relay.memory,
    "echo": relay.echo,
    "load": relay.load,
    "journal": relay.journal,
    "loaded": loaded.loaded,
    "ping": streaming.ping,
    "cold": daemon.cold,
    "restart": restart.restart,
    "idle": daemon.idle,
    "chat": gateway.chat,
    "day": day.day,
}
PEERS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "relays": relays.relays,
    "proxies": proxies.proxies,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS, PEERS)
