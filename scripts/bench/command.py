"""The command line of a benchmark: which measurements to take, the table, the exit code. Nothing is measured here."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .processes import NotMeasured
from .report import Row, table, write_json

Measurements = Mapping[str, Callable[..., Iterable[Row]]]


def main(about: str | None, measurements: Measurements) -> None:
    """Measure what is asked for, print it, exit."""
    try:
        raise SystemExit(_run(_arguments(about, measurements), measurements))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _run(asked: argparse.Namespace, measurements: Measurements) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # children end as with Ctrl-C
    rows: list[Row] = []
    failed = False
    for name in asked.only or measurements:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            rows += measurements[name](quick=asked.quick)
        except NotMeasured as fault:
            print(f"{name} could not be measured: {fault}", file=sys.stderr)
            failed = True
    print(table(rows))
    if asked.json is not None:
        write_json(asked.json, rows)
    missed = any(row.verdict == "MISSED" for row in rows)
    return 1 if failed or (asked.check and missed) else 0


def _arguments(about: str | None, measurements: Measurements) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds: coarse numbers soon")
    parser.add_argument("--only", action="append", choices=measurements, help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the rows as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    return parser.parse_args()
