#!/usr/bin/env -S .venv/bin/python
"""What it costs that EXAI sees itself: sinks, /metrics, memory, and a daemon with and without all of it in one run.

`python scripts/bench_seeing.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something
could not be measured, or with --check a goal is missed.
"""

from bench import seeing
from bench.command import main

MEASUREMENTS = {
    "sinks": seeing.sinks,
    "metrics": seeing.metrics,
    "flat": seeing.flat,
    "relay": seeing.relay,
    "idle": seeing.idle,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
