"""When the daemon's own jobs and the stages of cleaning up ran last, and what came of it, from what is published of them."""

from collections.abc import Callable
from typing import Any

import attrs

from exai_trio import structs
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.events import JobRan, Swept
from exai_trio.observability.times import rfc3339


@structs.define
class _Job:
    last: JobRan
    at: float
    runs: int = 0
    faults: int = 0


@structs.define
class _Stage:
    at: float
    removed: int = 0
    freed_bytes: int = 0


@structs.define(eq=False)
class JobBook:
    """A sink of events; `now` is unix seconds. It grows with the number of jobs alone."""

    now: Callable[[], float]
    _jobs: dict[str, _Job] = attrs.field(factory=dict[str, _Job])
    _stages: dict[str, _Stage] = attrs.field(factory=dict[str, _Stage])

    def takes(self) -> Takes:
        return {JobRan: self._ran, Swept: self._swept}

    def jobs(self) -> list[dict[str, Any]]:
        return [_told(name, job) for name, job in sorted(self._jobs.items())]

    def job(self, name: str) -> dict[str, Any] | None:
        job = self._jobs.get(name)
        return None if job is None else _told(name, job)

    def stage(self, name: str) -> dict[str, Any]:
        """Since the start; None is what has not happened yet."""
        stage = self._stages.get(name)
        if stage is None:
            return {"last_at": None, "removed": None, "freed_bytes": None}
        return {
            "last_at": rfc3339(stage.at),
            "removed": stage.removed,
            "freed_bytes": stage.freed_bytes,
        }

    def _ran(self, event: JobRan) -> None:
        job = self._jobs.setdefault(event.job, _Job(event, self.now()))
        job.last, job.at, job.runs = event, self.now(), job.runs + 1
        job.faults += event.result != "ok"

    def _swept(self, event: Swept) -> None:
        stage = self._stages.setdefault(event.stage, _Stage(self.now()))
        stage.at = self.now()
        stage.removed += event.removed
        stage.freed_bytes += event.freed_bytes


def _told(name: str, job: _Job) -> dict[str, Any]:
    period = job.last.period_s
    return {
        "job": name,
        "runs": job.runs,
        "faults": job.faults,
        "result": job.last.result,
        "fault": job.last.fault,
        "duration_ms": round(1000 * job.last.duration_s, 3),
        "last_at": rfc3339(job.at),
        "period_s": period,
        "next_at": rfc3339(job.at + period) if period else None,
    }
