"""Run many universes and say what broke: `scripts/dst --seeds N`. Exit code 1 if anything did."""

import argparse
import logging
import sys
import time

from .mutants import BUGS
from .run import simulate


def main() -> int:
    arguments = _parser().parse_args()
    logging.disable(logging.CRITICAL)  # refusals and retries are what is wanted here
    planted = next((bug.plant for bug in BUGS if bug.name == arguments.mutant), None)
    began, hours, broken = time.perf_counter(), 0.0, 0
    totals: dict[str, int] = {}
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        report = _simulated(seed, arguments.hours, planted)
        hours += arguments.hours
        broken += bool(report.faults)
        for what, count in report.tally.items():
            totals[what] = totals.get(what, 0) + count
        totals["daemons"] = totals.get("daemons", 0) + report.lives
        _tell(report, trace=arguments.trace, digest=arguments.digest)
    took = time.perf_counter() - began
    if not arguments.digest:
        print(
            f"{arguments.seeds} universes, {hours:g} virtual hours in {took:.1f} s: {broken} broken"
        )
        print(", ".join(f"{what} {count}" for what, count in sorted(totals.items())))
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/dst", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many universes (20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--hours", type=float, default=3.0, help="virtual hours of each (3)")
    parser.add_argument("--trace", action="store_true", help="print the trace of a broken one")
    parser.add_argument("--digest", action="store_true", help="print only seed and trace digest")
    names = [bug.name for bug in BUGS]
    parser.add_argument("--mutant", choices=names, help="plant this bug")
    return parser


def _simulated(seed, hours, planted):
    if planted is None:
        return simulate(seed, hours)
    with planted():
        return simulate(seed, hours)


def _tell(report, *, trace: bool, digest: bool) -> None:
    if digest:
        print(report.seed, report.digest)
    if report.faults:
        print(f"seed {report.seed}:", *report.faults[:10], sep="\n  ")
        if trace:
            print(*report.trace, sep="\n")


if __name__ == "__main__":
    sys.exit(main())
