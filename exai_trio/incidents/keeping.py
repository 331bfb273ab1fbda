"""Incidents on their way to the store: what was caught here, and what other processes have spooled."""

import logging
from collections.abc import Callable
from typing import Final

import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.incidents.capture import Capture
from exai_trio.incidents.spool import Spool
from exai_trio.observability.events import IncidentSeen
from exai_trio.storage.watching.incident_records import IncidentStore, Noted, Occurrence

log = logging.getLogger("exai.incidents")

_TOLD: Final = "an incident"


def _to_nobody(_seen: IncidentSeen) -> None:
    return


@structs.define(eq=False)
class IncidentKeeping:
    """`tell` hears of each that was counted; `fresh` counts those that were new or came back, `open_now` is how many are open, None
    before that is known."""

    capture: Capture
    store: IncidentStore
    spool: Spool
    tell: Callable[[IncidentSeen], None] = _to_nobody
    fresh: int = 0
    open_now: int | None = None

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
        await self.count_open()

    async def _note(self, occurrences: tuple[Occurrence, ...]) -> None:
        noted = await self.store.note(occurrences)
        for occurrence, each in zip(occurrences, noted, strict=True):
            self._tell(occurrence, each)
        await self.count_open()

    async def count_open(self) -> None:
        """Somebody else may have resolved some. Raises StorageError; cancelling leaves the number as it was."""
        self.open_now = sum((await self.store.counts()).values())

    def _tell(self, occurrence: Occurrence, noted: Noted) -> None:
        if noted.change != "counted":
            self.fresh += 1
            keys = {"incident": noted.id, "change": noted.change, "kind": noted.kind}
            log.warning(_TOLD, extra=keys)
        self.tell(
            IncidentSeen(
                kind=noted.kind,
                incident=noted.id,
                news=noted.change,
                severity=occurrence.severity,
                text=noted.message,
                count=occurrence.count,
            )
        )
