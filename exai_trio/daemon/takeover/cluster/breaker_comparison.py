"""What one daemon finds of a provider, all do: breakers open and close in all daemons of a store, and one of them probes.

A store that does not answer leaves each its own: then they are half open by themselves.
"""

import logging
from collections.abc import Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.resilience.breaker import Breaker
from exai_trio.resilience.breakers import Breakers
from exai_trio.storage.shared.shared_breakers import BreakerNews, SharedBreakers

log = logging.getLogger("exai.cluster")

COMPARE_S: Final = 1.5
GRACE_S: Final = 2 * COMPARE_S  # the store says within it who probes, if it says anything


@structs.define(eq=False)
class BreakerComparison:
    """Of one daemon; `moved` hears of each of its breakers that others have moved, as a guard does. `_told` has their epochs as the
    store knows them."""

    daemon: str
    store: SharedBreakers
    breakers: Breakers
    moved: Callable[[str, str, str], None]
    _told: dict[str, int] = attrs.field(factory=dict[str, int])

    async def run(self) -> None:
        """Until cancelled; what is open stays so, as long as each knows by itself."""
        while self.breakers.threshold:
            await self._compare()
            await trio.sleep(COMPARE_S)

    async def _compare(self) -> None:
        now, known = trio.current_time(), {**self.breakers.known}
        epochs = {name: breaker.epoch for name, breaker in known.items()}
        try:
            found = await self.store.compare(self.daemon, self._news(known, now))
        except StorageError as fault:
            log.debug("breakers not compared", extra={"fault": fault.message})
            return
        self._told = epochs
        for name in {*found, *epochs}:
            self._apply(name, found.get(name), now)

    def _news(self, known: dict[str, Breaker], now: float) -> BreakerNews:
        moved = {n: b for n, b in known.items() if b.epoch != self._told.get(n, 0)}
        is_open = {name: open_s for name, b in known.items() if (open_s := b.open_for(now)) is not None}  # fmt: skip
        return BreakerNews(
            opened={name: is_open[name] for name in moved if name in is_open},
            closed=[name for name in moved if name not in is_open],
            wanted=[name for name in is_open if known[name].wants_probe],
        )

    def _apply(self, name: str, open_s: float | None, now: float) -> None:
        breaker = self.breakers.of(name)
        if breaker.epoch != self._told.get(name, 0):
            return  # it has moved meanwhile, which is told the next time
        before = breaker.state(trio.current_time())
        if open_s is None:
            breaker.close()
        elif open_s > 0:
            breaker.keep_open(now + open_s + GRACE_S)
        else:
            breaker.let_probe(now)
        self._told[name] = breaker.epoch
        after = breaker.state(trio.current_time())
        if after != before:
            self.moved(name, before, after)
