#!/usr/bin/env -S .venv/bin/python
"""How long it takes to look for model servers of this machine.

`python scripts/bench_detection.py [--quick] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could not be
measured, or with --check a goal is missed.
"""

from bench.command import main
from bench.detection import detection

if __name__ == "__main__":
    main(__doc__, {"detection": detection})
