#!/usr/bin/env -S .venv/bin/python
"""What tokens, quotas and refusals cost: hellos by JWT, calls with a quota, honest callers beside a flood of bad hellos, a dictionary, keys that change under load, and whether refusals tell by their time.

`python scripts/bench_access.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something
could not be measured, or with --check a goal is missed.
"""

from bench import abuse, access
from bench.command import main

MEASUREMENTS = {
    "hello": access.hello,
    "call": access.call,
    "without": access.without,
    "flood": abuse.flood,
    "dictionary": abuse.dictionary,
    "timing": abuse.timing,
    "rotation": abuse.rotation,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
