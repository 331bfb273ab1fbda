"""Jobs that must not die: run again after a fault, give up loudly when they fail too often."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable

import trio

log = logging.getLogger("exai.jobs")

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_MOST_FAULTS, _WINDOW_S = 10, 600.0

Job = Callable[[], Awaitable[None]]


class JobGaveUp(Exception):
    """A job failed too often within the window."""


async def every(period: float, job: Job) -> None:
    """Run `job` now and then each `period` seconds, for ever. A fault is logged once and the job waits longer before its
    next run.

    Raises JobGaveUp after 10 faults within 10 minutes.
    """
    faults = deque[float](maxlen=_MOST_FAULTS)
    wait = _FIRST_WAIT_S
    while True:
        if await _ran(job):
            wait = _FIRST_WAIT_S
        else:
            _note_fault(faults, job)
            await trio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
        await trio.sleep(period)


async def _ran(job: Job) -> bool:
    try:
        await job()
    except Exception:
        log.exception("job failed", extra={"job": name_of(job)})
        return False
    return True


def _note_fault(faults: deque[float], job: Job) -> None:
    now = trio.current_time()
    faults.append(now)
    if len(faults) == _MOST_FAULTS and now - faults[0] < _WINDOW_S:
        raise JobGaveUp(f"{name_of(job)} failed {_MOST_FAULTS} times within {_WINDOW_S:.0f} s")


def name_of(job: Job) -> str:
    return getattr(job, "__name__", type(job).__name__)
