"""A universe of a few daemons: clients come and go, everything goes wrong that may, then there is peace, and all is looked at."""

import math
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from trio.testing import MockClock

from exai_trio.daemon.takeover.cluster.lease import LEASE_S

sys.path.insert(0, str(Path(__file__).parents[2] / "storage"))

from breakers_in_memory import MemoryBreakers
from permits_in_memory import MemoryPermits
from universe.run import one_order

from .client import Window
from .judge import Judge
from .machine import Machine, machine_of
from .stormy_store import StormyTables

_WINDOWS = 3
_PEACE_S = 120.0  # every call that can end has ended then


@attrs.define(eq=False)
class Storm:
    """`machines` by name, each the newest of that name."""

    seed: int
    draw: random.Random
    tables: StormyTables
    judge: Judge
    permits: MemoryPermits = attrs.field(factory=MemoryPermits)
    breakers: MemoryBreakers = attrs.field(factory=lambda: MemoryBreakers(LEASE_S))
    machines: dict[str, Machine] = attrs.field(factory=dict[str, Machine])
    boots: int = 0

    @classmethod
    def of(cls, seed: int) -> "Storm":
        draw = random.Random(seed)
        tables = StormyTables(draw=draw)
        judge = Judge(tables)
        tables.claimed = judge.claimed
        return cls(seed, draw, tables, judge)

    def _start(self, name: str, everything: trio.Nursery) -> None:
        self.boots += 1
        self.machines[name] = machine = machine_of(name, self.boots, self.tables, self.judge)
        everything.start_soon(machine.run, (self.permits, self.breakers))

    def _reachable(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.is_reachable]

    async def run(self, storm_s: float) -> None:
        """Everything, to its end, or until the fault that is sought is seen."""
        async with trio.open_nursery() as everything:
            everything.start_soon(self._end_when_found, everything.cancel_scope)
            self.tables.notices = everything
            for number in range(self.draw.randint(2, 4)):
                self._start(f"d{number}", everything)
            windows = [Window(f"win{n}", self.judge, self.draw, self._reachable) for n in range(_WINDOWS)]  # fmt: skip
            for window in windows:
                everything.start_soon(window.live)
            with trio.move_on_after(storm_s):
                while True:
                    await trio.sleep(self.draw.uniform(1, 12))
                    await self._misfortune(everything)
            self._calm(windows)
            await trio.sleep(_PEACE_S)
            self.judge.look_at_the_end()
            everything.cancel_scope.cancel()

    async def _end_when_found(self, everything: trio.CancelScope) -> None:
        await self.judge.found.wait()
        everything.cancel()

    def _calm(self, windows: list[Window]) -> None:
        self.tables.calm, self.tables.is_stopped = True, False
        for window in windows:
            window.asks = False
        for machine in self.machines.values():
            machine.shared.is_away, machine.shared.frozen_until = False, 0.0
            self.permits.away.discard(machine.name)

    async def _misfortune(self, everything: trio.Nursery) -> None:
        """One of them, for a while; others may come meanwhile."""
        what = self.draw.choice([self._kill, self._cut, self._freeze, self._stop])
        self.judge.count(what.__name__.strip("_"))
        if what == self._stop:
            await self._stop()
        else:
            everything.start_soon(what, self.draw.choice([*self.machines.values()]), everything)

    async def _kill(self, machine: Machine, everything: trio.Nursery) -> None:
        if not machine.lives:
            return
        self.judge.out_of_touch()
        machine.die()
        await trio.sleep(self.draw.uniform(0, 15))
        self._start(machine.name, everything)

    async def _cut(self, machine: Machine, _everything: trio.Nursery) -> None:
        """From the database."""
        async with self._harm(machine):
            machine.shared.is_away = True
            self.permits.away.add(machine.name)
            await trio.sleep(self.draw.uniform(0, 3 * LEASE_S))
            machine.shared.is_away = not machine.lives
            self.permits.away.discard(machine.name)

    async def _freeze(self, machine: Machine, _everything: trio.Nursery) -> None:
        async with self._harm(machine):
            until = trio.current_time() + self.draw.uniform(0, 3 * LEASE_S)
            machine.shared.frozen_until = until
            self.permits.away.add(machine.name)
            await trio.sleep_until(until)
            self.permits.away.discard(machine.name)

    @asynccontextmanager
    async def _harm(self, machine: Machine) -> AsyncGenerator[None]:
        self.judge.out_of_touch()
        machine.harmed_at = math.inf
        yield
        if machine.lives:
            machine.harmed_at = trio.current_time()
        self.judge.out_of_touch()

    async def _stop(self) -> None:
        """The database, for everybody: that harms nobody."""
        self.tables.is_stopped = True
        self.permits.away |= {*self.machines}
        await trio.sleep(self.draw.uniform(0, 30))
        self.tables.is_stopped = False
        self.permits.away.clear()
        self.judge.out_of_touch()


def stormy(seed: int, storm_s: float, sought: str = "") -> Judge:
    """One universe. The same seed gives the same one."""
    storm = Storm.of(seed)
    storm.judge.sought = sought
    with one_order(seed):
        try:
            trio.run(storm.run, storm_s, clock=MockClock(autojump_threshold=0))
        except Exception as fault:  # whatever falls over is a finding
            storm.judge.faults.append(f"the universe fell over: {fault!r}")
    return storm.judge
