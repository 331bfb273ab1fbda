#!/usr/bin/env -S .venv/bin/python
"""Plants small bugs, one at a time, and counts how many the tests notice.

`python scripts/mutants.py [--count N] [--seed N] [--only ROOM…] [--lives] [--by tests|simulation] [--goal PERCENT] [--minutes M] [--ci]`.
Each mutant is run in a private copy against the tests that reach its line, the nearest and quickest first, up to the first that fails;
`--by simulation` against whole simulated universes, `--lives` only where calls live. A survivor that breaks no promise is explained by a
line of `scripts/mutation/explained.toml`. `--ci`: 40 within 4 minutes, of which nine in ten are noticed; what was not tried by then is
told, and not red.
Exit codes: 0 the goal is reached, 1 it is not, 2 wrong usage.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator

from mutation.judges import JUDGES, SIMULATION, TESTS
from mutation.private_copy import run_in_copy
from mutation.run import Result, tried
from mutation.sample import LIVES, ROOMS, explained, sampled

_NOTICED = ("killed", "too slow", "too much written")
_IN_COPY = "EXAI_MUTANTS_IN_COPY"
_CI = ("--count", "40", "--minutes", "4", "--goal", "90")


def main() -> int:
    words = sys.argv[1:]
    asked = _arguments([*_CI, *words] if "--ci" in words else words)
    if _IN_COPY not in os.environ:
        settings = {_IN_COPY: "1", "REAL_BACKENDS": "none"}  # no server may be shared by forks
        return run_in_copy("scripts/mutants.py", words, settings)
    rooms = asked.only or (LIVES if asked.lives else ROOMS)
    reasons = explained()
    chosen = sampled(rooms, asked.count, asked.seed)
    if not chosen:
        print("there is nothing to change in what was named", file=sys.stderr)
        return 2
    open_ = [mutant for mutant in chosen if mutant.key not in reasons]
    began, results = time.monotonic(), list[Result]()
    judges = JUDGES[asked.by](open_, asked.jobs)
    for result in tried(open_, judges, jobs=asked.jobs, until=began + 60 * asked.minutes):
        results.append(result)
        if result.verdict not in _NOTICED:
            print(f"{result.verdict}: line {result.mutant.line}: {result.mutant.key}", flush=True)
    print(
        "\n".join(_told(results, len(chosen), len(chosen) - len(open_), time.monotonic() - began))
    )
    return int(_share(results) < asked.goal)


def _share(results: list[Result]) -> float:
    """Percent of these that were noticed; where the time was over before any was tried, nothing says that tests are bad."""
    noticed = sum(result.verdict in _NOTICED for result in results)
    return 100 * noticed / len(results) if results else 100.0


def _told(results: list[Result], chosen: int, reasons: int, seconds: float) -> Iterator[str]:
    verdicts = Counter(result.verdict for result in results)
    told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items()))
    yield f"{chosen} mutants: {told}, {reasons} explained; {_share(results):.1f} % of those tried were noticed, in {seconds:.0f} s"
    if left := chosen - reasons - len(results):
        yield f"{left} were not tried: the time was over"


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=40, help="how many, drawn by the seed; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="ROOM", help="folders or files of exai_trio")
    parser.add_argument("--lives", action="store_true", help="only where calls live")
    parser.add_argument("--by", choices=(TESTS, SIMULATION), default=TESTS)
    parser.add_argument("--goal", type=float, default=95.0, help="percent that must be noticed")
    parser.add_argument("--minutes", type=float, default=600.0, help="none is begun after that")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    parser.add_argument("--ci", action="store_true", help="40, at most 4 minutes, goal 90")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
