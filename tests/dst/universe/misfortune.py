"""What goes wrong in a universe: daemons end in every way, and the network and the disk fail for a while."""

from typing import TYPE_CHECKING

import attrs
import trio

from .ending import check_counts

if TYPE_CHECKING:
    from .story import Universe

_OFTEN = ("step", "replace", "fold")


@attrs.define(eq=False)
class Misfortune:
    """`strike` draws one."""

    universe: "Universe"
    everything: trio.Nursery

    async def strike(self) -> None:
        kinds = {
            "crash": self._crash,
            "step": self._crash_at_a_step,
            "drain": self.universe.house.drain,
            "replace": self._replace,
            "stall and replace": self._stall_and_replace,
        }
        at_once = {
            "partition": self._part,
            "silence": self.universe.network.silence,
            "cut": self.universe.network.cut_all,
            "full": self._fill,
            "stall": self._stall,
            "all": self._crash_all,
            "fold": self._crash_at_a_fold,
        }
        for life in self.universe.house.living:
            if life.tree is not None:
                check_counts(life, self.universe.oracle)
        kind = self.universe.draw.choice((*kinds, *at_once, *_OFTEN))
        if kind in kinds:
            await kinds[kind]()
        else:
            at_once[kind]()

    async def _crash(self) -> None:
        """Also of one that starts, or that is being replaced."""
        house = self.universe.house
        house.crash(self.universe.draw.choice(house.living or [None]))
        await trio.lowlevel.checkpoint()

    async def _crash_at_a_step(self) -> None:
        self.universe.crash_in = self.universe.draw.randrange(1, 150)
        await trio.lowlevel.checkpoint()

    def _crash_all(self) -> None:
        """Where EXAI_DURABILITY=power, the power goes."""
        for life in list(self.universe.house.living):
            self.universe.house.crash(life)

    def _crash_at_a_fold(self) -> None:
        self._ask()
        self.universe.disk.blow = self._crash_all

    async def _replace(self) -> None:
        life = self.universe.house.life
        if life is not None and not life.draining and not life.replaced.is_set():
            self.universe.oracle.count("replaced")
            await self.universe.begin(self.everything, life)

    async def _stall_and_replace(self) -> None:
        self._stall()
        await trio.sleep(self.universe.draw.uniform(0.0, 6.0))
        await self._replace()

    def _part(self) -> None:
        self.universe.network.part(self.universe.draw.uniform(1.0, 200.0))

    def _fill(self) -> None:
        self.universe.note("disk full")
        self.universe.disk.full_until = trio.current_time() + self.universe.draw.uniform(1.0, 60.0)

    def _stall(self) -> None:
        """Calls are on their way to the disk then, with their acceptance, their handle or their outcome."""
        self._ask()
        seconds = self.universe.draw.uniform(5.0, 20.0)
        self.universe.note(f"disk stalls for {seconds:.1f} s")
        self.universe.disk.stalled_until = trio.current_time() + seconds
        self._ask()

    def _ask(self) -> None:
        for _ in range(2):
            tool = self.universe.draw.choice(("work", "once"))
            self.universe.window.ask(tool, self.universe.draw.choice((0.0, 0.5, 4.0, 40.0)))
