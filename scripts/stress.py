"""Puts EXAI under load for as long as wanted, and says how latency, errors, memory and descriptors fared.

`python scripts/stress.py SCENARIO… [--seconds S] [--report FILE] [--plots DIR]`; `all` is every scenario. Exit codes: 0 no
call was lost and nothing failed that should not, 1 otherwise.
"""

import argparse
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import trio
from chaos.children import descriptors, resident
from chaos.load import EXPECTED, LOADS, Load
from chaos.plot import svg
from chaos.report import percentile
from chaos.world import open_world

_SAMPLE_S = 0.25
_SETTLE_S = 2.0  # grace of the sessions that have ended, before the last weighing

Points = list[tuple[float, float]]


async def stress(name: str, seconds: float) -> tuple[dict[str, Any], Points, Points]:
    """The summary of one load, its answers and the daemon's memory over time."""
    memory: Points = []
    async with open_world(EXAI_SESSION_GRACE_S="0.5", LOG_LEVEL="WARNING") as world:
        daemon = await world.daemon()
        warm = Load(world=world, seconds=min(2.0, seconds), began=trio.current_time())
        await LOADS[name](warm)
        await trio.sleep(_SETTLE_S)
        first = resident(daemon.pid), descriptors(daemon.pid)
        load = Load(world=world, seconds=seconds, began=trio.current_time())
        async with trio.open_nursery() as watching:
            watching.start_soon(_weigh, daemon.pid, load, memory)
            await LOADS[name](load)
            watching.cancel_scope.cancel()
        busy = await world.idle()
        await trio.sleep(_SETTLE_S)
        last = resident(daemon.pid), descriptors(daemon.pid)
    return _summary(name, load, memory, first, last, busy), load.answers, memory


async def _weigh(pid: int, load: Load, memory: Points) -> None:
    while True:
        memory.append((load.elapsed, resident(pid) / 2**20))
        await trio.sleep(_SAMPLE_S)


def _summary(  # noqa: PLR0917  # what was seen, once
    name: str, load: Load, memory: Points, first: tuple[int, int], last: tuple[int, int], busy: str
) -> dict[str, Any]:
    took = [seconds * 1000 for _, seconds in load.answers] or [0.0]
    wrong = sorted(set(load.codes) - EXPECTED.get(name, {"ok"}))
    return {
        "load": name,
        "seconds": load.seconds,
        "answers": len(load.answers),
        "per_second": round(len(load.answers) / load.seconds, 1),
        "ms": {label: round(percentile(took, share), 1) for label, share in _SHARES},
        "by_code": dict(load.codes),
        "silent": load.silent,
        "lost_sends": load.lost,
        "memory_mib": {
            "before": round(first[0] / 2**20, 1),
            "most": round(max((value for _, value in memory), default=0.0), 1),
            "after": round(last[0] / 2**20, 1),
            "drift_percent": round((last[0] / first[0] - 1) * 100, 1),
        },
        "descriptors": {"before": first[1], "after": last[1]},
        "wrong": [
            *wrong,
            *(["calls without an answer"] if load.silent else []),
            *filter(None, [busy]),
        ],
    }


_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("most", 1.0))


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    wanted = list(LOADS) if "all" in asked.loads else asked.loads
    found = [_run(name, asked) for name in wanted]
    if asked.report is not None:
        facts = {"machine_load": os.getloadavg(), "loads": found}
        asked.report.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 1 if any(one["wrong"] for one in found) else 0


def _run(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    print(f"{name} …", file=sys.stderr, flush=True)
    summary, answers, memory = trio.run(partial(stress, name, asked.seconds))
    print(json.dumps(summary), flush=True)
    if asked.plots is not None:
        asked.plots.mkdir(parents=True, exist_ok=True)
        (asked.plots / f"{name}.svg").write_text(svg(name, answers, memory), encoding="utf-8")
    return summary


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("loads", nargs="+", choices=[*LOADS, "all"], metavar="SCENARIO")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each")
    parser.add_argument("--report", type=Path, metavar="FILE", help="the summaries as JSON")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="a picture of each, as SVG")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
