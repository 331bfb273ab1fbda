"""The store of all daemons in a storm: late and lost notifications, slow and lost answers, a database that stops and daemons cut from it."""

import random
from collections.abc import Callable

import attrs
import trio
from shared_in_memory import MemoryShared, SharedTables

from exai_trio.errors import StorageError

_LOST_ANSWER = 0.02
_SLOW = 0.02
_LOST_NOTICE, _LATE_NOTICE = 0.2, 0.3


@attrs.define(eq=False, kw_only=True)
class StormyTables(SharedTables):
    """`is_stopped`: nobody is answered. `calm` ends the storm. `claimed` hears which calls change their daemon."""

    draw: random.Random
    claimed: Callable[[str], None]
    notices: trio.Nursery | None = None
    is_stopped: bool = False
    calm: bool = False

    def notify(self, executor: str) -> None:
        dice = 1.0 if self.calm else self.draw.random()
        if dice < _LOST_NOTICE:
            return
        if dice < _LOST_NOTICE + _LATE_NOTICE:
            self.notices.start_soon(self._notify_late, executor)
        else:
            super().notify(executor)

    async def _notify_late(self, executor: str) -> None:
        await trio.sleep(self.draw.uniform(0, 4))
        super().notify(executor)


@attrs.define(eq=False)
class StormyShared(MemoryShared):
    """The way of one daemon to them. While it is frozen what it has asked waits; then all of it comes through at once. After a stop
    it is there again at `back_at`."""

    frozen_until: float = 0.0
    back_at: float = 0.0

    async def reach(self) -> None:
        tables = self.tables
        await trio.sleep(1.0 if tables.draw.random() < _SLOW else tables.draw.uniform(0, 0.02))
        while trio.current_time() < self.frozen_until:
            await trio.sleep_until(self.frozen_until)
        if self.is_away or tables.is_stopped or trio.current_time() < self.back_at:
            raise StorageError("The database is away.")

    async def say(self, facts, said):
        """Lost in a storm as often as not; what is drawn for all else stays what it is."""
        await trio.lowlevel.checkpoint()
        stops = self.is_away or self.tables.is_stopped or trio.current_time() < self.frozen_until
        if not stops and int(trio.current_time() * 1000) % 2:
            await super().say(facts, said)

    def _answer(self) -> None:
        """It is done; that may not be heard."""
        if not self.tables.calm and self.tables.draw.random() < _LOST_ANSWER:
            raise StorageError("The answer was lost.")

    async def renew(self, facts, *, is_first, draining):
        renewed = await super().renew(facts, is_first=is_first, draining=draining)
        self._answer()
        return renewed

    async def claim(self, facts, *, others, anew, most):
        before = {name: row.executor for name, row in self.tables.calls.items()}
        claimed = await super().claim(facts, others=others, anew=anew, most=most)
        for call in claimed:
            if before.get((call.session, call.request), facts.executor) != facts.executor:
                self.tables.claimed(call.request)
        self._answer()
        return claimed

    async def take(self, facts, principal, session, held, visit):
        epoch = await super().take(facts, principal, session, held, visit)
        self._answer()
        return epoch

    async def compare(self, facts, held, running, waiting):
        found = await super().compare(facts, held, running, waiting)
        self._answer()
        return found
