"""The command line of a benchmark: which measurements to take, the table, the exit code. Nothing is measured here."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .processes import NotHere, NotMeasured
from .report import Row, table, write_json

Measurements = Mapping[str, Callable[..., Iterable[Row]]]


def main(about: str | None, measurements: Measurements, peers: Measurements | None = None) -> None:
    """Measure what is asked for, print it, exit; `peers`, other people's programs, only with --peers."""
    asked = _arguments(about, measurements, peers or {})
    wanted = peers if asked.peers and peers else measurements
    try:
        raise SystemExit(_run(asked, wanted))
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
        except NotHere as fault:
            print(f"{name} is skipped: {fault}", file=sys.stderr)
        except NotMeasured as fault:
            print(f"{name} could not be measured: {fault}", file=sys.stderr)
            failed = True
    print(table(rows))
    if asked.json is not None:
        write_json(asked.json, rows)
    missed = any(row.verdict == "MISSED" for row in rows)
    return 1 if failed or (asked.check and missed) else 0


def _arguments(
    about: str | None, measurements: Measurements, peers: Measurements
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds: coarse numbers soon")
    parser.add_argument("--only", action="append", choices=measurements, help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the rows as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    told = f"other people's programs instead: {', '.join(peers) or 'there are none here'}"
    parser.add_argument("--peers", action="store_true", help=told)
    return parser.parse_args()
