"""Jobs that must not die: run again after a fault, tell when they fail again and again, give up loudly when too often."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.observability.events import JobRan

log = logging.getLogger("exai.jobs")

_FIRST_WAIT_S, _LONGEST_WAIT_S, _MOST_DOUBLINGS = 0.5, 30.0, 6
_HINDERED_WAIT_S = 1.0
_MOST_FAULTS, _WINDOW_S = 10, 600.0
_TOLD_FROM = 3  # faults in a row

Job = Callable[[], Awaitable[None]]
Tell = Callable[[str | None], None]


class Hindered(Exception):
    """What a job needs is not there, as the text says; that is no fault of the job's own."""


class JobGaveUp(Exception):
    """A job failed too often within the window."""


def _to_nobody(_trouble: str | None) -> None:
    return


def _uncounted(ran: JobRan) -> None:
    del ran


async def every(
    period: float, job: Job, tell: Tell = _to_nobody, ran: Callable[[JobRan], None] = _uncounted
) -> None:
    """Run `job` now and then each `period` seconds, for ever. A fault is logged once and the job waits longer before its
    next run; a hindrance is looked at again soon. After each run `tell` hears what is wrong, from the third fault in a row
    on, or None; `ran` hears of each run.

    Raises JobGaveUp after 10 faults within 10 minutes. Cancelling cuts the job where it is.
    """
    record = _Record(name_of(job), period)
    while True:
        began = trio.current_time()
        trouble = await _run(job, record)
        ran(record.told(trio.current_time() - began))
        tell(trouble)
        if record.in_a_row:
            await trio.sleep(record.pause_s())
        hindered = trouble is not None and not record.in_a_row
        await trio.sleep(min(period, _HINDERED_WAIT_S) if hindered else period)


async def _run(job: Job, record: "_Record") -> str | None:
    """What is to be told of this run."""
    try:
        await job()
    except Hindered as hindrance:
        record.in_a_row, record.result, record.fault = 0, "hindered", str(hindrance)
        return str(hindrance)
    except Exception as fault:
        log.exception("job failed", extra={"job": record.job})
        record.in_a_row += 1
        record.result, record.fault = "failed", repr(fault)
        often = record.in_a_row >= _TOLD_FROM
        return f"failed {record.in_a_row} times in a row: {fault!r}" if often else None
    record.in_a_row, record.result, record.fault = 0, "ok", ""
    return None


@structs.define
class _Record:
    """Of one job's faults; `in_a_row` are those since it last succeeded, `result` and `fault` are of the last run."""

    job: str
    period_s: float = 0.0
    in_a_row: int = 0
    result: str = "ok"
    fault: str = ""
    _lately: deque[float] = attrs.field(factory=lambda: deque[float](maxlen=_MOST_FAULTS))

    def told(self, duration_s: float) -> JobRan:
        return JobRan(
            job=self.job,
            result=self.result,
            duration_s=duration_s,
            fault=self.fault,
            period_s=self.period_s,
        )

    def pause_s(self) -> float:
        """How long to wait after a fault. Raises JobGaveUp."""
        now = trio.current_time()
        self._lately.append(now)
        if len(self._lately) == _MOST_FAULTS and now - self._lately[0] < _WINDOW_S:
            raise JobGaveUp(f"{self.job} failed {_MOST_FAULTS} times within {_WINDOW_S:.0f} s")
        doublings = min(self.in_a_row - 1, _MOST_DOUBLINGS)
        return min(_FIRST_WAIT_S * 2.0**doublings, _LONGEST_WAIT_S)


def name_of(job: Job) -> str:
    return getattr(job, "__name__", type(job).__name__)
