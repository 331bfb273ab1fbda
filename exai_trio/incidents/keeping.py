"""Incidents on their way to the store: what was caught here, and what other processes have spooled."""

import logging
from collections.abc import Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.incidents.capture import Capture
from exai_trio.incidents.spool import Spool
from exai_trio.storage.incident_records import IncidentStore, Noted, Occurrence

log = logging.getLogger("exai.incidents")

_TOLD: Final = "an incident"


def _to_nobody(_noted: Noted) -> None:
    return


@structs.define(eq=False)
class IncidentKeeping:
    """`seen` counts occurrences since the start by kind, `fresh` those incidents that were new or came back. `tell` hears of each of
    these."""

    capture: Capture
    store: IncidentStore
    spool: Spool
    tell: Callable[[Noted], None] = _to_nobody
    seen: dict[str, int] = attrs.field(factory=lambda: {"bug": 0, "world": 0})
    fresh: int = 0

    async def flush_incidents(self) -> None:
        """Raises StorageError, and keeps what is not written. Cancelling may lose what is being written."""
        occurrences = self.capture.take()
        if not occurrences:
            return
        try:
            await self._note(occurrences)
        except StorageError:
            self.capture.give_back(occurrences)
            raise

    async def take_spool(self) -> None:
        """Take up what shims, and a daemon that died, have left. Raises StorageError or OSError; cancelled, or with a fault, it stays
        there for the next time."""
        taken = await trio.to_thread.run_sync(self.spool.take, abandon_on_cancel=True)
        if taken:
            await self._note(taken)
            log.info("spooled incidents are taken up", extra={"incidents": len(taken)})
        await trio.to_thread.run_sync(self.spool.done, abandon_on_cancel=True)

    async def _note(self, occurrences: tuple[Occurrence, ...]) -> None:
        noted = await self.store.note(occurrences)
        for occurrence, each in zip(occurrences, noted, strict=True):
            self.seen[each.kind] = self.seen.get(each.kind, 0) + occurrence.count
            if each.change != "counted":
                self.fresh += 1
                log.warning(
                    _TOLD, extra={"incident": each.id, "change": each.change, "kind": each.kind}
                )
                self.tell(each)
