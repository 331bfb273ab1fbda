"""An instrument that notices when one task keeps the event loop from all others.

It counts and tells.
"""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from exai_trio import structs

from .meters.families import BOUNDS
from .meters.instruments import Buckets

log = logging.getLogger("exai.watchdog")

LONGEST_STEP_S: Final = 0.05
_SAID_AGAIN_S: Final = 1.0


def _to_nobody(task: str, duration_s: float) -> None:
    del task, duration_s


@structs.define(eq=False)
class Watchdog(trio.abc.Instrument):
    """Logs each step of a task over `longest_s`, but at most one a second; what was left out is counted in the next.

    Steps take real time, whatever clock the run has; `steps` has them all, `held_up` hears of each that was too long.
    """

    longest_s: float = LONGEST_STEP_S
    steps: Buckets = attrs.field(factory=Buckets)
    held_up: Callable[[str, float], None] = _to_nobody
    _quick_s: float = attrs.Factory(lambda self: min(BOUNDS[0], self.longest_s), takes_self=True)
    _began: float = float("inf")  # no step was begun under its eyes
    _said: float = float("-inf")
    _unsaid: int = 0

    def after_io_wait(self, timeout: float) -> None:
        del timeout
        self._began = time.perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """The step began where the one before it ended, or the wait before them all."""
        now = time.perf_counter()
        took, self._began = now - self._began, now
        if took > self._quick_s:
            self._note_slow(task.name, took, now)
        elif took >= 0.0:  # nearly all
            self.steps.counts[0] += 1
            self.steps.sum += took

    def _note_slow(self, name: str, took: float, now: float) -> None:
        self.steps.note(took)
        if took > self.longest_s:
            self.held_up(name, took)
            self._bark(name, took, now)

    def _bark(self, name: str, took: float, now: float) -> None:
        if now - self._said < _SAID_AGAIN_S:
            self._unsaid += 1
            return
        took_ms = round(took * 1000)
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
