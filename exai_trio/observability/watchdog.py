"""An instrument that notices when one task keeps the event loop from all others.

It only logs.
"""

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import trio

from exai_trio import structs

log = logging.getLogger("exai.watchdog")

LONGEST_STEP_S: Final = 0.05
_SAID_AGAIN_S: Final = 1.0


@structs.define(eq=False)
class Watchdog(trio.abc.Instrument):
    """Logs each step of a task over `longest_s`, but at most one a second; what was left out is counted in the next.

    Steps take real time, whatever clock the run has.
    """

    longest_s: float = LONGEST_STEP_S
    _began: float = float("inf")  # no step was begun under its eyes
    _said: float = float("-inf")
    _unsaid: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        now = time.perf_counter()
        if now - self._began > self.longest_s:
            self._bark(task.name, now)

    def _bark(self, name: str, now: float) -> None:
        if now - self._said < _SAID_AGAIN_S:
            self._unsaid += 1
            return
        took_ms = round((now - self._began) * 1000)
        log.warning(
            "event loop held up", extra={"task": name, "took_ms": took_ms, "unsaid": self._unsaid}
        )
        self._said, self._unsaid = now, 0


@contextmanager
def watching(watchdog: Watchdog) -> Generator[None]:
    """The instrument is at work in this run of trio while the block lasts."""
    trio.lowlevel.add_instrument(watchdog)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(watchdog)
