"""The figures that alerts, incidents and the auditor look at, read from what the daemon knows of itself."""

import shutil
from collections.abc import Mapping
from typing import Any, cast

import trio

from exai_trio import structs
from exai_trio.incidents.keeping import IncidentKeeping
from exai_trio.monitoring.alerts.figures import Figures

from .report import Report


@structs.define(eq=False)
class AlertFigures:
    """Plain reads, but for the disk, which a job looks at in a thread."""

    report: Report
    incidents: IncidentKeeping
    disk_free: int | None = None
    disk_size: int | None = None

    def read(self) -> Figures:
        report = self.report
        counters = report.counters
        return Figures(
            at=trio.current_time(),
            uptime_s=report.uptime_s(),
            calls=counters.finished + counters.failed + counters.timed_out,
            failures=counters.failed + counters.timed_out,
            connections=counters.connections,
            most_connections=report.config.max_connections,
            store_faults=self._store_faults(),
            disk_free=self.disk_free,
            disk_size=self.disk_size,
            breakers_open=self._breakers_open(),
            permits_waiting=self._waiting(),
            fresh_incidents=self.incidents.fresh,
        )

    def shown(self) -> Mapping[str, float]:
        """Aggregates by name, for whoever is told of a fault or asked about figures: nothing of them is a user's."""
        figures = self.read()
        return {
            "uptime_s": round(figures.uptime_s),
            "calls": figures.calls,
            "failed_calls": figures.failures,
            "running_calls": self.report.counters.running,
            "sessions": self.report.counters.sessions,
            "connections": figures.connections,
            "permits_waiting": figures.permits_waiting,
            "breakers_open": len(figures.breakers_open),
            "incidents": sum(self.incidents.seen.values()),
        }

    async def look_at_disk(self) -> None:
        """How much room there is. Raises OSError. Cancelling leaves that to its thread."""
        usage = await trio.to_thread.run_sync(
            shutil.disk_usage, self.report.config.home, abandon_on_cancel=True
        )
        self.disk_free, self.disk_size = usage.free, usage.total

    def _store_faults(self) -> frozenset[str]:
        store = self.report.store
        if store is None:
            return frozenset()
        told = {
            "store": store.fault is not None or store.is_full,
            "file set aside": store.set_aside is not None,
        }
        return frozenset(name for name, wrong in told.items() if wrong)

    def _breakers_open(self) -> frozenset[str]:
        states = (
            cast("dict[str, Any]", facts["breakers"]) for facts in self.report.gateway.providers()
        )
        return frozenset(
            name for breakers in states for name, state in breakers.items() if state != "closed"
        )

    def _waiting(self) -> int:
        waiting = (permits.waiting for permits in self.report.gateway.permits().values())
        return self.report.permits.statistics().tasks_waiting + sum(waiting)
