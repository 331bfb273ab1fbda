#!/usr/bin/env -S .venv/bin/python
"""What the baselines promise, proven by planting it: twenty-percent, itself, versus, cost. By hand: each takes minutes.

`scripts/baseline_proof.py NAME [TIMES]`. Exit 1 if a promise is broken.
"""

import sys

from baseline.proof import PROOFS

if __name__ == "__main__":
    name, times = (*sys.argv[1:], "20")[:2] if len(sys.argv) > 1 else ("", "20")
    if name not in PROOFS or not times.isdigit():
        sys.stderr.write(f"{__doc__}\nNAME: {', '.join(PROOFS)}\n")
        sys.exit(2)
    sys.exit(0 if PROOFS[name](int(times)) else 1)
