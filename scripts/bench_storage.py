#!/usr/bin/env -S .venv/bin/python
"""What is kept, and how fast, beside the floor in one run; what was measured, met or missed.

`python scripts/bench_storage.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bench import hosted_store, kept_files, payloads, slow_readers
from bench.command import main
from bench.report import Row

MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "results": payloads.results,
    "payload-memory": payloads.memory,
    "slow-readers": slow_readers.slow,
    "file-gateway": kept_files.gateway,
    "dedup": kept_files.dedup,
    "cleanup": kept_files.cleanup,
    "kept": hosted_store.kept,
    "chat": hosted_store.chat,
    "drain": hosted_store.drain,
    "lag": hosted_store.lag,
    "start": hosted_store.start,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
