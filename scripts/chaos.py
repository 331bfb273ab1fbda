#!/usr/bin/env -S .venv/bin/python
"""Breaks things under EXAI while it works, on real processes, and counts: what was accepted is answered, once.

`python scripts/chaos.py SCENARIO[=CYCLES]… [--cycles N] [--jobs N] [--forked] [--crowded] [--seed N] [--report FILE]`; `all` is
every scenario but the long ones, `--list` says what they do. Exit codes: 0 everything held (or was skipped, which is said), 1 something was broken, 2 wrong
usage, 130 interrupted, after what was found until then.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

import trio
from chaos.endings import ends_cleanly
from chaos.plan import planned
from chaos.report import table, write
from chaos.scenarios import SCENARIOS


def main() -> int:
    asked = _arguments()
    if asked.list:
        print("\n".join(f"{name:18}{one.about}" for name, one in SCENARIOS.items()))
        return 0
    ends_cleanly()
    plan = planned(asked.wanted, asked.seed, asked.jobs, forked=asked.forked)
    interrupted = False
    try:
        trio.run(plan.run)
    except* KeyboardInterrupt:
        interrupted = True
    outcomes = plan.outcomes()
    print(table(outcomes, crowded=asked.crowded))
    if asked.report is not None:
        write(asked.report, outcomes, seed=asked.seed, jobs=asked.jobs, load=os.getloadavg())
    broken = any(outcome.broken for outcome in outcomes)
    return 130 if interrupted else int(broken)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO[=CYCLES]", help="names, or all")
    parser.add_argument("--cycles", type=int, default=10, help="of each that says no other number")
    parser.add_argument("--jobs", type=int, default=1, help="worlds side by side")
    parser.add_argument(
        "--forked",
        action="store_true",
        help="kill-daemon and kill-acks: daemons that load nothing when they start",
    )
    parser.add_argument(
        "--crowded", action="store_true", help="other programs run beside this: judge no times"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--report", type=Path, metavar="FILE", help="the outcomes as JSON")
    parser.add_argument("--list", action="store_true", help="say what there is")
    asked = parser.parse_args()
    try:
        asked.wanted = _wanted(asked.scenarios, asked.cycles)
    except (KeyError, ValueError) as fault:
        parser.error(f"scenarios are {', '.join(SCENARIOS)}, all; not {fault}")
    if not (asked.wanted or asked.list):
        parser.error("which scenarios? --list says what there is")
    return asked


def _wanted(words: list[str], cycles: int) -> dict[str, int]:
    """Cycles by scenario. What is said for one, before `all`, counts."""
    wanted: dict[str, int] = {}
    for word in words:
        name, _, own = word.partition("=")
        every = (one for one, scenario in SCENARIOS.items() if not scenario.long)
        for one in every if name == "all" else [name]:
            usual = max(1, int(cycles * SCENARIOS[one].share))
            count = int(own) if own else usual
            wanted.setdefault(one, count)
    return wanted


if __name__ == "__main__":
    sys.exit(main())
