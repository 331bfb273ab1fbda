#!/usr/bin/env -S .venv/bin/python
"""How faults are found and told apart: the corpus of tests/incidents/corpus, each fault in many variants of ids, lines, paths and order.

`python scripts/judge_incidents.py [--variants N] [--each] [--mutant NAME]`. Prints detection, wrong merges, wrong splits and duplicates; with --each
also which faults those are. Exit code 1 where a goal is missed.
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from incidents.injected import corpus
from incidents.judging import MUTANTS, judge

MOST_MERGED, MOST_SPLIT = 0.005, 0.02


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--variants", type=int, default=50)
    parser.add_argument("--each", action="store_true")
    parser.add_argument(
        "--mutant", choices=MUTANTS, help="a fingerprint that is wrong, to see it noticed"
    )
    asked = parser.parse_args()
    logging.getLogger("exai").propagate = False
    faults, began = corpus(), time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        verdict = judge(faults, asked.variants, Path(home), asked.mutant)
    took = time.perf_counter() - began
    merged, split = verdict.merged / verdict.told, verdict.split / verdict.told
    for name, text in {
        "faults": f"{len(faults)} × {asked.variants} variants = {verdict.told:,} in {took:.1f} s",
        "rows": f"{len(verdict.rows)} of {sum(fault.kind != 'none' for fault in faults)}",
        "detection": f"{verdict.detected / verdict.expected:.2%}",
        "invented": f"{verdict.invented}",
        "wrong kind": f"{verdict.wrong_kind}",
        "wrong merges": f"{merged:.2%}",
        "wrong splits": f"{split:.2%}",
        "duplicates": f"{verdict.duplicates}",
    }.items():
        print(f"{name:<13} {text}")
    if asked.each:
        for names in verdict.rows.values():
            if len(names) > 1:
                print("merged:", dict(names))
    good = verdict.detected == verdict.expected and not (verdict.invented or verdict.wrong_kind)
    return 0 if good and merged <= MOST_MERGED and split <= MOST_SPLIT else 1


if __name__ == "__main__":
    sys.exit(main())
