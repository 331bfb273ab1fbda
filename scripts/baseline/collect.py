"""`collect`: every tool, or those that are named, through one daemon: turn by turn, so that what the machine does besides hits all alike."""

import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx2
import trio

from . import definitions
from .client import Lost, connected
from .prices import check_budget
from .records import Baseline, Run, Skipped, revision, this_machine
from .runs import Bench, NotReady
from .served import log_of, own_daemon, running_daemon

_MOST_LOST = 3  # daemons in a row


@attrs.define(eq=False)
class Plan:
    """What is to be done: `left` are the runs that are not made yet, warm-ups first."""

    chosen: tuple
    runs: int | None
    live: bool = False
    budget: float = 0.0
    delay: float = 0.0
    made: list[Run] = attrs.field(factory=list)
    skipped: list[Skipped] = attrs.field(factory=list)
    left: list[tuple] = attrs.field(init=False)
    lost: int = 0

    def __attrs_post_init__(self):
        warm = [(one, False) for one in self.chosen for _ in range(one.warm_up)]
        turns = max((self.runs or one.runs for one in self.chosen), default=0)
        self.left = warm + [
            (one, True)
            for turn in range(turns)
            for one in self.chosen
            if turn < (self.runs or one.runs)
        ]

    @property
    def spent(self):
        return sum(run.cost or 0.0 for run in self.made)


def collected(plan, url, home):
    """The baseline of this plan. A daemon that dies is told of and, if it was ours, started again; the run goes on."""
    began = time.time()
    while plan.left and plan.lost < _MOST_LOST:
        try:
            with work_folder() as folder, _daemon(plan, url, home) as served:
                _say_if_lost(plan, trio.run(_measure, plan, served, folder))
        except Lost as fault:
            plan.lost += 1
            _give_up_one(plan, f"the daemon was lost: {fault}")
    for definition, counts in plan.left:
        if counts:
            plan.made.append(Run(tool=definition.name, ok=False, reason="the daemon is gone"))
    return Baseline(
        source="live" if plan.live else "simulated",
        at=began,
        revision=revision(),
        machine=this_machine(),
        runs=tuple(plan.made),
        skipped=tuple(plan.skipped),
    )


def _daemon(plan, url, home):
    return _borrowed(running_daemon(url, home)) if url else own_daemon(live=plan.live)


@contextmanager
def _borrowed(served):
    yield served


def _say_if_lost(plan, fault):
    if fault is not None:
        raise fault
    plan.lost = 0


def _give_up_one(plan, reason):
    """The run at hand is lost; it would be lost again, if it is what kills the daemon."""
    if plan.left:
        definition, counts = plan.left.pop(0)
        if counts:
            plan.made.append(Run(tool=definition.name, ok=False, reason=reason))


@contextmanager
def work_folder():
    """A repository with something to look at, where the tools' files lie."""
    with tempfile.TemporaryDirectory(prefix="exai-baseline-") as name:
        path = Path(name).resolve()
        (path / "changed.py").write_text("x = 1\n", encoding="utf-8")
        subprocess.run(["git", "init", "-q", str(path)], check=True)
        yield path


async def _measure(plan, served, folder):
    """Runs until nothing is left. Returns what ended it before, if anything did."""
    fault = None
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            async with connected(served.url, roots=[str(folder)], token=served.token) as client:
                bench = Bench(served, client, log_of(client.health, http), folder, live=plan.live)
                fault = await _until_lost(plan, bench)
        except* Lost as lost:
            fault = lost.exceptions[0]
    return fault


async def _until_lost(plan, bench):
    fault = None
    try:
        while plan.left:
            await _one(plan, bench, *plan.left[0])
            plan.left.pop(0)
    except Lost as lost:
        fault = lost
    judged = await bench.judged()
    plan.made += judged
    return fault


async def _one(plan, bench, definition, counts):
    if any(skipped.tool == definition.name for skipped in plan.skipped):
        return
    if plan.live and bench.cost() + plan.spent > plan.budget:
        plan.skipped.append(
            Skipped(tool=definition.name, reason=f"the budget of {plan.budget:g} is used up")
        )
        return
    if plan.delay and definition.requests:
        total = sum(definition.requests.values())
        await bench.log.arm("", {"delay": plan.delay}, requests=total)
    try:
        await bench.run(definition, counts=counts)
    except NotReady as fault:
        if counts:
            plan.made.append(Run(tool=definition.name, ok=False, reason=str(fault)))


def plan_of(asked):
    """Raises Wrong."""
    from exai_trio.tools.registry import BUILT_IN, INTERNAL

    known = {tool.name for tool in (*BUILT_IN, *INTERNAL)}
    every = definitions.read(asked.definitions or definitions.FILE, known)
    chosen = definitions.chosen(every, asked.tools)
    plan = Plan(chosen, asked.runs, live=asked.live, budget=asked.budget or 0.0, delay=asked.delay)
    if asked.live:
        check_budget(plan.chosen, plan.runs, asked)
    if not asked.tools:
        defined = {one.name for one in every}
        plan.skipped += [
            Skipped(tool=name, reason="it is defined nowhere") for name in sorted(known - defined)
        ]
    return plan
