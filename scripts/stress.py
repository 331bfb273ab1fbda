#!/usr/bin/env -S .venv/bin/python
"""Puts EXAI under load for as long as wanted, and says how latency, errors, memory and descriptors fared.

`python scripts/stress.py SCENARIO… [--seconds S | --minutes M] [--clients N] [--report FILE] [--plots DIR]`; `all` is every
scenario. Exit codes: 0 no call was lost and nothing failed that should not, 1 otherwise, 130 interrupted. Goals for times and
weights are told as met or missed.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio
from chaos.children import descriptors, resident
from chaos.drift import drift
from chaos.endings import ends_cleanly
from chaos.goals import verdict
from chaos.hostile import Hostility, large_frames
from chaos.load import EXPECTED, LOADS, Load
from chaos.plot import svg
from chaos.traps import set_traps
from chaos.world import World, open_world

_WARM_S = 4.0
_WARM_S_EACH = 0.03  # of many clients
_SAMPLES = 600  # of the daemon's memory in one run
_SETTLE_S = 2.0  # grace of the sessions that have ended, before descriptors are counted
_GRACE_S = {"failures": 20.0}  # who was cut must come back in time, however slow the machine
_LEAST_JUDGED_S = 300.0  # in the first minutes of a daemon its caches fill: that is no drift
_MOST_HELD_MIB = 5.0  # a full outbox, and what running calls answer
_GRAVE = ("error", "critical")  # levels of the daemon's log

Points = list[tuple[float, float]]


@attrs.define(kw_only=True)
class Run:
    """One load that was put on a daemon. `usual` is the same load, all of whose clients read, for comparison; `usual_most` is
    the daemon's memory in it, in MiB."""

    name: str
    load: Load
    usual: Load
    usual_most: float
    memory: Points = attrs.field(factory=list[tuple[float, float]])
    files: tuple[int, int] = (0, 0)
    busy: str = ""
    harm: list[str] = attrs.field(factory=list[str])
    logged: dict[str, int] = attrs.field(factory=dict[str, int])


async def stress(name: str, seconds: float, clients: int) -> Run:
    async with open_world(
        EXAI_SESSION_GRACE_S=_GRACE_S.get(name, 0.5), LOG_LEVEL="WARNING"
    ) as world:
        hostility = await _hostility(world) if name == "hostile" else None
        daemon = await world.daemon(**(hostility.settings if hostility else {}))
        warm = min(seconds, max(_WARM_S, clients * _WARM_S_EACH))
        usual = Load(world=world, seconds=warm, clients=clients, deaf=False)
        most = max(mib for _, mib in await _weighed(daemon.pid, name, usual))
        await trio.sleep(_SETTLE_S)
        provider = world.provider.port
        before = descriptors(daemon.pid, provider)
        load = Load(world=world, seconds=seconds, clients=clients, hostility=hostility)
        run = Run(name=name, usual=usual, load=load, usual_most=most)
        run.memory = await _weighed(daemon.pid, name, load)
        run.busy = await world.idle()
        await trio.sleep(_SETTLE_S)
        run.files = before, descriptors(daemon.pid, provider)
        run.logged = _grave(world)
        run.harm = await hostility.harm() if hostility else []
    return run


async def _hostility(world: World) -> Hostility:
    traps = await trio.to_thread.run_sync(set_traps, world.home)
    return Hostility(world, traps, await trio.to_thread.run_sync(large_frames, traps))


async def _weighed(pid: int, name: str, load: Load) -> Points:
    """Put the load on the daemon. Returns its memory meanwhile."""
    memory: Points = []
    async with trio.open_nursery() as watching:
        watching.start_soon(_weigh, pid, load, memory)
        await LOADS[name](load)
        watching.cancel_scope.cancel()
    return memory


async def _weigh(pid: int, load: Load, memory: Points) -> None:
    while True:
        memory.append((load.elapsed, resident(pid) / 2**20))
        await trio.sleep(max(0.1, load.seconds / _SAMPLES))


def _grave(world: World) -> dict[str, int]:
    """How often the daemon logged each event that is an error, with the fault that it names."""
    found: dict[str, int] = {}
    for path in (world.home / "exai" / "logs").glob("ws_daemon.log*"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if str(said.get("level", "")).lower() in _GRAVE:
                what = ": ".join(
                    filter(None, (said["level"].lower(), said.get("event"), said.get("fault")))
                )
                found[what] = found.get(what, 0) + 1
    return found


_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("most", 1.0))


def _summary(run: Run) -> dict[str, Any]:
    load, answers = run.load, run.load.answers
    return {
        "load": run.name,
        "seconds": load.seconds,
        "answers": answers.count,
        "per_second": round(answers.count / load.seconds, 1),
        "ms": {label: round(answers.percentile(share) * 1000, 1) for label, share in _SHARES},
        "by_code": dict(load.codes),
        "without_answer": load.silent,
        "lost_sends": load.lost,
        "thrown_out": load.thrown_out,
        "memory_mib": drift(run.memory),
        "descriptors": {"before": run.files[0], "after": run.files[1]},
        "logged": run.logged,
        "goals": list(_goals(run)),
        "notes": list(_notes(run)),
        "wrong": list(_wrong(run)),
    }


def _goals(run: Run) -> Iterator[str]:
    if run.name != "slow-clients" and run.load.seconds >= _LEAST_JUDGED_S:
        yield verdict("memory drift, %", drift(run.memory)["percent"], 5)
    yield verdict("descriptors more than before", run.files[1] - run.files[0], 0)
    if run.name == "slow-clients":
        usual, found = (load.answers.settled(0.99) for load in (run.usual, run.load))
        yield verdict("p99 of who reads, times when all read", found / (usual or 1.0), 2)
        most = max(mib for _, mib in run.memory)
        held = (most - run.usual_most) / (run.load.clients // 2)
        yield verdict("MiB for each that never reads", held, _MOST_HELD_MIB)

    if run.name == "hostile":
        ratio = run.load.answers.percentile(0.99) / (run.load.alone.percentile(0.99) or 1.0)
        yield verdict("p99 beside hostile clients, times alone", ratio, 2)


def _notes(run: Run) -> Iterator[str]:
    if run.load.hostility is not None:
        yield run.load.hostility.told


def _wrong(run: Run) -> Iterator[str]:
    """What must not be, however slow the machine is."""
    yield from run.harm
    unexpected = set(run.load.codes) - EXPECTED.get(run.name, {"ok"})
    yield from sorted(unexpected)
    if not run.load.codes["ok"]:
        yield "no call succeeded"
    if run.load.silent:
        yield f"{run.load.silent} calls without an answer"
    if run.busy:
        yield f"not at rest: {run.busy}"
    yield from (what for what in run.logged if what.startswith("critical"))


def main() -> int:
    asked = _arguments()
    ends_cleanly()
    wanted = list(LOADS) if "all" in asked.loads else asked.loads
    found: list[dict[str, Any]] = []
    interrupted = False
    try:
        for name in wanted:
            found.append(_run(name, asked))
            _report(asked, found)
    except* KeyboardInterrupt:
        interrupted = True
    print("\n".join(_told(found)))
    if interrupted:
        print("interrupted: the load that ran is not told")
        return 130
    return 1 if any(one["wrong"] for one in found) else 0


def _report(asked: argparse.Namespace, found: list[dict[str, Any]]) -> None:
    if asked.report is not None:
        facts = {"machine_load": os.getloadavg(), "clients": asked.clients, "loads": found}
        asked.report.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _run(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    print(f"{name} …", file=sys.stderr, flush=True)
    run = trio.run(partial(stress, name, asked.seconds, asked.clients))
    if asked.plots is not None:
        asked.plots.mkdir(parents=True, exist_ok=True)
        courses = {label: run.load.answers.course(share) for label, share in _SHARES[:3]}
        title = f"{name}: {run.load.answers.count} answers in {run.load.seconds:g} s"
        path = asked.plots / f"{name}.svg"
        path.write_text(svg(title, courses, run.memory), encoding="utf-8")
    return _summary(run)


_COLUMNS = "{:13}{:>9}{:>7}{:>9}{:>9}{:>9}{:>9}{:>16}{:>8}{:>9}  {}"


def _told(found: list[dict[str, Any]]) -> Iterator[str]:
    """A table, the goals, and what is wrong."""
    yield _COLUMNS.format("load", "answers", "per s", "p50 ms", "p95", "p99", "most", "MiB 2nd/last", "drift", "fds", "by code")  # fmt: skip
    for one in found:
        memory, files = one["memory_mib"], one["descriptors"]
        levels = f"{memory.get('second_quarter', 0)}/{memory.get('last_quarter', 0)}"
        codes = " ".join(f"{code}:{count}" for code, count in sorted(one["by_code"].items()))
        yield _COLUMNS.format(one["load"], one["answers"], round(one["per_second"]), *one["ms"].values(), levels, f"{memory['percent']} %", f"{files['before']}/{files['after']}", codes)  # fmt: skip
    yield ""
    for one in found:
        yield from (f"{goal}  ({one['load']})" for goal in one["goals"])
    for one in found:
        yield from (f"{one['load']}: {note}" for note in one["notes"])
        yield from (f"{one['load']}: logged {what}: {n}" for what, n in one["logged"].items())
        yield from (f"{one['load']}: BROKEN: {what}" for what in one["wrong"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("loads", nargs="+", choices=[*LOADS, "all"], metavar="SCENARIO")
    long = parser.add_mutually_exclusive_group()
    long.add_argument("--seconds", type=float, default=20.0, help="of each")
    long.add_argument("--minutes", type=lambda text: float(text) * 60, dest="seconds")
    parser.add_argument("--clients", type=int, default=40, help="of slow-clients; half never reads")
    parser.add_argument("--report", type=Path, metavar="FILE", help="the summaries as JSON")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="a picture of each, as SVG")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
