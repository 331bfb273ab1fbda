"""Run many universes of a few daemons and say what broke: `scripts/dst many --seeds N`. Exit code 1 if anything did."""

import argparse
import contextlib
import logging
import sys
from collections import Counter

from .storm import stormy


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/dst many", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many universes (20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seconds", type=float, default=150.0, help="virtual, of storm (150)")
    parser.add_argument("--mutant", default="", help="plant this bug")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # refusals and retries are what is wanted here
    total: Counter[str] = Counter()
    with _planted(arguments.mutant):
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            judge = stormy(seed, arguments.seconds)
            total.update(judge.tally, broken=bool(judge.faults))
            if judge.faults:
                print(f"seed {seed}:", *judge.faults[:10], sep="\n  ")
    print(f"{arguments.seeds} universes, {total['broken']} broken")
    print(", ".join(f"{what} {count}" for what, count in sorted(total.items())))
    return 1 if total["broken"] else 0


def _planted(name: str) -> contextlib.AbstractContextManager[None]:
    from .mutants_of_many import BUGS

    found = [bug.plant() for bug in BUGS if bug.name == name]
    return found[0] if found else contextlib.nullcontext()


if __name__ == "__main__":
    sys.exit(main())
