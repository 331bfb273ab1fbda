"""Waiting for a change of something: many tasks wait, its owner tells them all, each checks its own condition again."""

import trio

from exai_trio import structs


@structs.define(eq=False)
class Change:
    """Costs an event only while somebody waits. `told` counts, for who looks only now and then. Cancelling a wait leaves nothing behind."""

    told: int = 0
    _event: trio.Event | None = None

    async def wait(self) -> None:
        """Return at the next `tell`."""
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()

    def tell(self) -> None:
        """Wake everybody who waits now."""
        self.told += 1
        event, self._event = self._event, None
        if event is not None:
            event.set()
