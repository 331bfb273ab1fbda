"""How fast and how large EXAI is, beside the floor in the same run: what is asked for, what was measured, met or missed.

`python scripts/bench_relay.py [--quick] [--only NAME] [--json FILE] [--check]`. Exit codes: 0 measured, 1 something could
not be measured, or with --check a goal is missed.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from bench import daemon, gateway, relay, streaming
from bench.processes import NotMeasured
from bench.report import Row, table, write_json

MEASUREMENTS: Final[Mapping[str, Callable[..., Iterable[Row]]]] = {
    "start": relay.start,
    "memory": relay.memory,
    "echo": relay.echo,
    "load": relay.load,
    "journal": relay.journal,
    "ping": streaming.ping,
    "cold": daemon.cold,
    "idle": daemon.idle,
    "chat": gateway.chat,
}


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    rows: list[Row] = []
    failed = False
    for name in asked.only or MEASUREMENTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            rows += MEASUREMENTS[name](quick=asked.quick)
        except NotMeasured as fault:
            print(f"{name} could not be measured: {fault}", file=sys.stderr)
            failed = True
    print(table(rows))
    if asked.json is not None:
        write_json(asked.json, rows)
    missed = any(row.verdict == "MISSED" for row in rows)
    return 1 if failed or (asked.check and missed) else 0


def _interrupt(_number: int, _frame: object) -> None:
    """Being terminated is like Ctrl-C: every child and every temporary directory goes."""
    signal.raise_signal(signal.SIGINT)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds: coarse numbers soon")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the rows as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
