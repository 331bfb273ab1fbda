"""Jobs that must not die: run again after a fault, tell when they fail again and again, give up loudly when too often."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable

import trio

log = logging.getLogger("exai.jobs")

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_MOST_FAULTS, _WINDOW_S = 10, 600.0
_TOLD_FROM = 3  # faults in a row

Job = Callable[[], Awaitable[None]]
Tell = Callable[[str | None], None]


class JobGaveUp(Exception):
    """A job failed too often within the window."""


def _to_nobody(_trouble: str | None) -> None:
    return


async def every(period: float, job: Job, tell: Tell = _to_nobody) -> None:
    """Run `job` now and then each `period` seconds, for ever. A fault is logged once and the job waits longer before its
    next run. After each run `tell` hears what is wrong, from the third fault in a row on, or None.

    Raises JobGaveUp after 10 faults within 10 minutes.
    """
    faults = deque[float](maxlen=_MOST_FAULTS)
    wait, in_a_row = _FIRST_WAIT_S, 0
    while True:
        fault = await _fault_of(job)
        in_a_row = in_a_row + 1 if fault else 0
        tell(f"failed {in_a_row} times in a row: {fault!r}" if in_a_row >= _TOLD_FROM else None)
        if fault is None:
            wait = _FIRST_WAIT_S
        else:
            _note_fault(faults, job)
            await trio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
        await trio.sleep(period)


async def _fault_of(job: Job) -> Exception | None:
    try:
        await job()
    except Exception as fault:
        log.exception("job failed", extra={"job": name_of(job)})
        return fault
    return None


def _note_fault(faults: deque[float], job: Job) -> None:
    now = trio.current_time()
    faults.append(now)
    if len(faults) == _MOST_FAULTS and now - faults[0] < _WINDOW_S:
        raise JobGaveUp(f"{name_of(job)} failed {_MOST_FAULTS} times within {_WINDOW_S:.0f} s")


def name_of(job: Job) -> str:
    return getattr(job, "__name__", type(job).__name__)
