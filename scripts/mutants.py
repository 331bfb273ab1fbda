#!/usr/bin/env -S .venv/bin/python
"""Plants small bugs, one at a time, and counts how many the tests notice.

`python scripts/mutants.py [--count N] [--seed N] [--only ROOM…] [--by tests|simulation] [--goal PERCENT]`. Each mutant is run against the
tests that reach its line, the quickest first, up to the first that fails; `--by simulation` against whole simulated universes. A survivor
that cannot matter is explained by a line of `scripts/mutation/explained.toml`. Exit codes: 0 the goal is reached, 1 it is not, 2 wrong usage.
"""

import argparse
import random
import sys
import tomllib
from collections import Counter
from pathlib import Path

from mutation.judges import JUDGES, SIMULATION, TESTS
from mutation.operators import Mutant, mutants
from mutation.run import Result, tried

ROOMS = (
    "exai_trio/daemon/calls",
    "exai_trio/daemon/sessions",
    "exai_trio/daemon/delivery",
    "exai_trio/daemon/takeover",
    "exai_trio/wire/session_rules.py",
    "exai_trio/shim",
    "exai_trio/mcp",
    "exai_trio/storage",
)
NOTICED = ("killed", "too slow")
EXPLAINED = Path(__file__).parent / "mutation" / "explained.toml"


def main() -> int:
    asked = _arguments()
    chosen = _chosen(asked.only or ROOMS, asked.count, asked.seed)
    if not chosen:
        print("there is nothing to change in what was named", file=sys.stderr)
        return 2
    results: list[Result] = []
    for result in tried(chosen, JUDGES[asked.by](chosen), jobs=asked.jobs):
        results.append(result)
        if result.verdict not in NOTICED:
            print(f"{result.verdict}: line {result.mutant.line} of {result.mutant.key}", flush=True)
    return _judged(results, asked.goal)


def _chosen(rooms: tuple[str, ...], count: int, seed: int) -> list[Mutant]:
    """`count` of all mutants of these rooms, drawn by the seed, without those that are explained; all of them for 0."""
    explained = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivors"]
    paths = sorted({file for room in rooms for file in _files(Path(room))})
    every = [
        mutant
        for path in paths
        for mutant in mutants(str(path), path.read_text(encoding="utf-8"))
        if mutant.key not in explained
    ]
    random.Random(seed).shuffle(every)  # noqa: S311 - a draw that anybody can repeat
    return every[: count or None]


def _files(named: Path) -> list[Path]:
    return [named] if named.is_file() else list(named.rglob("*.py"))


def _judged(results: list[Result], goal: float) -> int:
    verdicts = Counter(result.verdict for result in results)
    noticed = sum(verdicts[verdict] for verdict in NOTICED)
    share = 100 * noticed / len(results)
    told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items()))
    print(f"{len(results)} mutants: {told}; {share:.1f} % noticed, goal {goal:g} %")
    return int(share < goal)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=40, help="how many, drawn by the seed; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="ROOM", help="folders or files of exai_trio")
    parser.add_argument("--by", choices=(TESTS, SIMULATION), default=TESTS)
    parser.add_argument("--goal", type=float, default=95.0, help="percent that must be noticed")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
