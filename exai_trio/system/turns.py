"""One task at a time for each key."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from exai_trio import structs


@structs.define(eq=False)
class Turns:
    """Costs a lock for each key only while somebody has its turn, or waits for it."""

    _locks: dict[tuple[str, ...], trio.Lock] = attrs.field(factory=dict[tuple[str, ...], trio.Lock])

    @asynccontextmanager
    async def alone(self, *key: str) -> AsyncGenerator[None]:
        """Cancelling gives the turn to the next."""
        lock = self._locks.setdefault(key, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and not lock.statistics().tasks_waiting:
                self._locks.pop(key, None)
