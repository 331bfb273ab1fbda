#!/usr/bin/env -S .venv/bin/python
"""What the baselines promise, proven by planting it. By hand: each takes minutes. Exit 1 if a promise is broken."""

import sys

from baseline.client import Lost
from baseline.proof import PROOFS
from baseline.wrong import Wrong

if __name__ == "__main__":
    name, times = (*sys.argv[1:], "20")[:2] if len(sys.argv) > 1 else ("", "20")
    if name not in PROOFS or not times.isdigit() or int(times) < 2 or len(sys.argv) > 3:
        sys.stderr.write(
            "scripts/baseline_proof.py NAME [TIMES]    20 times if not given, 2 at least\n"
        )
        for known, proof in PROOFS.items():
            sys.stderr.write(f"    {known.ljust(15)} {proof.__doc__.splitlines()[0]}\n")
        sys.exit(2)
    try:
        holds = PROOFS[name](int(times))
    except (Lost, Wrong) as fault:
        sys.exit(f"{name}: {fault}")
    sys.exit(0 if holds else 1)
