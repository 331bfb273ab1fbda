"""Breaks things under EXAI while it works, on real processes, and counts: what was accepted is answered, once.

`python scripts/chaos.py SCENARIO… [--cycles N] [--seed N] [--report FILE]`; `all` is every scenario, `--list` says what
they do. Exit codes: 0 everything held (or was skipped, which is said), 1 something was broken, 2 wrong usage.
"""

import argparse
import os
import random
import secrets
import signal
import sys
import time
from pathlib import Path

import trio
from chaos.children import NotStarted
from chaos.report import Outcome, table, write
from chaos.scenarios import SCENARIOS
from chaos.trial import Trial


def main() -> int:
    asked = _arguments()
    if asked.list:
        print("\n".join(f"{name:18}{one.about}" for name, one in SCENARIOS.items()))
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    wanted = list(SCENARIOS) if "all" in asked.scenarios else asked.scenarios
    outcomes = [_played(name, asked.cycles, asked.seed) for name in wanted]
    print(table(outcomes))
    if asked.report is not None:
        write(asked.report, outcomes, seed=asked.seed, load=os.getloadavg())
    return 1 if any(outcome.broken for outcome in outcomes) else 0


def _played(name: str, cycles: int, seed: int) -> Outcome:
    scenario = SCENARIOS[name]
    reason = scenario.unable()
    if reason:
        return Outcome(name, skipped=reason)
    print(f"{name} …", file=sys.stderr, flush=True)
    chance = random.Random(f"{seed}{name}")  # noqa: S311  # moments to strike, no secrets
    trial = Trial(name=name, cycles=max(1, int(cycles * scenario.share)), random=chance)
    began = time.perf_counter()
    _play(scenario.play, trial)
    return Outcome(name, trial, seconds=time.perf_counter() - began)


def _play(play: object, trial: Trial) -> None:
    interrupted = False
    try:
        trio.run(play, trial)
    except* NotStarted as group:
        trial.broken.append(f"cycle {trial.done}: {group.exceptions}")
    except* KeyboardInterrupt:
        interrupted = True
    except* Exception as group:  # noqa: BLE001  # told to the trial and to the reader
        trial.broken.append(f"cycle {trial.done}: {group!r}")
        sys.excepthook(type(group), group, group.__traceback__)
    if interrupted:
        raise KeyboardInterrupt


def _interrupt(_number: int, _frame: object) -> None:
    """Being terminated is like Ctrl-C: every child and every temporary directory goes."""
    signal.raise_signal(signal.SIGINT)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="a name, or all")
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--report", type=Path, metavar="FILE", help="the outcomes as JSON")
    parser.add_argument("--list", action="store_true", help="say what there is")
    asked = parser.parse_args()
    unknown = [name for name in asked.scenarios if name not in {"all", *SCENARIOS}]
    if unknown or not (asked.scenarios or asked.list):
        parser.error(f"scenarios are {', '.join(SCENARIOS)}, all; not {unknown}")
    return asked


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
