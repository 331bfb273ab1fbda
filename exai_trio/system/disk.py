"""Waiting for a disk: in a thread that nobody has to wait for, and again until it takes what it is given."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError

log = logging.getLogger("exai.disk")

Given = TypeVarTuple("Given")

_AGAIN_S = 1.0


@structs.define(eq=False)
class DiskThread:
    """One thread at a time for files that are written whole or appended to."""

    _turn: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1))

    async def run(self, write: Callable[[*Given], object], *given: *Given) -> None:
        """Run `write` in a thread. Raises what it raises. Cancelling returns at once, also from a disk that hangs: the thread
        finishes alone, and the next write waits for it."""
        await trio.to_thread.run_sync(write, *given, abandon_on_cancel=True, limiter=self._turn)


async def until_written(write: Callable[[], Awaitable[None]], what: str) -> None:
    """Write, again each second while a StorageError says that it was not done. `what` names it in the log.

    Cancelling leaves it unwritten, or written without our knowing.
    """
    while True:
        fault = await fault_of(write)
        if fault is None:
            return
        log.error("not written yet", extra={"what": what, "fault": fault.message})
        await trio.sleep(_AGAIN_S)


async def fault_of(work: Callable[[], Awaitable[object]]) -> StorageError | None:
    """Do it; or why the store did not. Cancelling does what it does to the work."""
    try:
        await work()
    except StorageError as fault:
        return fault
    return None
