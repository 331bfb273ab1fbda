#!/usr/bin/env -S .venv/bin/python
"""How EXAI fares when too much is asked of it: many calls at once, clients that never read, large frames, and what watching itself costs.

`python scripts/bench_admission.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something
could not be measured, or with --check a goal is missed.
"""

from bench import admission
from bench.command import main

MEASUREMENTS = {
    "burst": admission.burst,
    "slow": admission.slow,
    "frames": admission.frames,
    "watchdog": admission.watchdog,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
