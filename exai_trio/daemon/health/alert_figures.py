"""The figures that alerts, incidents and the auditor look at: read from the meters, and of events what no meter may count by name."""

import shutil
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.access.quotas import Quotas
from exai_trio.incidents.keeping import IncidentKeeping
from exai_trio.monitoring.alerts.rule_inputs import RuleInputs
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.events import ConnectionOpened, RequestEnded
from exai_trio.observability.meters.families import BOUNDS
from exai_trio.observability.meters.readings import Distribution, Snapshot
from exai_trio.storage.watching.watching_stores import UsualDurations

from .report import Report

_WEEK_S: Final = 7 * 86_400.0
_MINUTE_S: Final = 60.0
_MOST_CONNECTS: Final = 10_000  # of a minute
_USERS_FAULTS: Final = frozenset({"client", "validation", "authentication"})
_LONG_STEPS: Final = BOUNDS.index(0.05) + 1
_FAMILIES: Final = (
    "auth_total",
    "breaker_state",
    "call_duration_seconds",
    "calls_running",
    "calls_total",
    "connections_open",
    "errors_total",
    "incidents_total",
    "job_runs_total",
    "loop_step_seconds",
    "permits_waiting",
    "process_resident_memory_bytes",
    "sessions",
    "terminal_connections",
)


@structs.define(eq=False)
class AlertFigures:
    """Plain reads, but for the disk and the usual durations, which jobs look at."""

    report: Report
    incidents: IncidentKeeping
    usual: UsualDurations
    quotas: Quotas | None = None
    disk_free: int | None = None
    disk_size: int | None = None
    usual_p95_s: Mapping[str, float] = attrs.field(factory=dict[str, float])
    _connects: deque[tuple[float, str]] = attrs.field(
        factory=lambda: deque[tuple[float, str]](maxlen=_MOST_CONNECTS)
    )
    _refused: set[str] = attrs.field(factory=set[str])

    def takes(self) -> Takes:
        return {ConnectionOpened: self._opened, RequestEnded: self._asked}

    def read(self) -> RuleInputs:
        said = self.report.meters.snapshot(*_FAMILIES)
        return RuleInputs(
            at=trio.current_time(),
            uptime_s=self.report.uptime_s(),
            calls=_whole(said, "calls_total"),
            failures=int(_failures(said)),
            connects=self._connects_of_a_minute(),
            connections=_whole(said, "connections_open"),
            most_connections=self.report.config.max_connections,
            store_faults=self._store_faults(),
            disk_free=self.disk_free,
            disk_size=self.disk_size,
            breakers_open=_breakers_open(said),
            keys_refused=frozenset(self._refused),
            bounds_s=BOUNDS,
            durations=_durations(said),
            usual_p95_s=self.usual_p95_s,
            resident_bytes=_whole(said, "process_resident_memory_bytes") or None,
            permits_waiting=_whole(said, "permits_waiting"),
            long_steps=sum(said.distribution("loop_step_seconds").counts[_LONG_STEPS:]),
            jobs_given_up=_given_up(said),
            budget_share=self.quotas.share_spent() if self.quotas else None,
            auth_refused=_whole(said, "auth_total")
            - int(said.total("auth_total", result="ok") or 0),
            fresh_incidents=self.incidents.fresh,
            troubles=self.report.problems.names,
            terminal_connections=_whole(said, "terminal_connections"),
            **self._terminals(),
        )

    def _terminals(self) -> dict[str, Any]:
        terminals = self.report.terminals
        if terminals is None:
            return {}
        count, failed = terminals.creations_of_an_hour()
        return {
            "terminal_attaches": terminals.attaches_of_a_minute(),
            "terminal_creations": count,
            "terminal_creations_failed": failed,
        }

    def shown(self) -> Mapping[str, float]:
        """Aggregates by name, for whoever is told of a fault or asked about figures: nothing of them is a user's."""
        said = self.report.meters.snapshot(*_FAMILIES)
        p95 = said.distribution("call_duration_seconds").percentile(0.95)
        errors = {
            f"errors_{name}": count for name, count in said.by("errors_total", "category").items()
        }
        return {
            "uptime_s": round(self.report.uptime_s()),
            "calls": _whole(said, "calls_total"),
            "calls_running": _whole(said, "calls_running"),
            "sessions": _whole(said, "sessions"),
            "connections": _whole(said, "connections_open"),
            "permits_waiting": _whole(said, "permits_waiting"),
            "breakers_open": len(_breakers_open(said)),
            "incidents": _whole(said, "incidents_total"),
            "resident_mib": _whole(said, "process_resident_memory_bytes") // 2**20,
            **errors,
            **({} if p95 is None else {"call_p95_s": round(p95, 3)}),
        }

    async def look_at_disk(self) -> None:
        """How much room there is. Raises OSError. Cancelling leaves that to its thread."""
        home = self.report.config.home
        usage = await trio.to_thread.run_sync(shutil.disk_usage, home, abandon_on_cancel=True)
        self.disk_free, self.disk_size = usage.free, usage.total

    async def look_at_budgets(self) -> None:
        """What was spent before this daemon began. Raises StorageError; cancelling leaves it to the next time."""
        if self.quotas is not None:
            await self.quotas.load()

    async def look_at_durations(self) -> None:
        """What is usual by the last seven days. Raises StorageError; cancelling leaves it as it was."""
        self.usual_p95_s = await self.usual.p95_s(self.report.context.clock.now() - _WEEK_S)

    def _opened(self, event: ConnectionOpened) -> None:
        if event.kind == "session":
            self._connects.append((trio.current_time(), event.session))

    def _asked(self, event: RequestEnded) -> None:
        if event.outcome == "auth":
            self._refused.add(event.provider)
        elif event.outcome == "ok":
            self._refused.discard(event.provider)

    def _connects_of_a_minute(self) -> Mapping[str, int]:
        since = trio.current_time() - _MINUTE_S
        return Counter(session for at, session in self._connects if at > since)

    def _store_faults(self) -> frozenset[str]:
        store = self.report.store
        if store is None:
            return frozenset()
        told = {
            "store": store.fault is not None or store.is_full,
            "file set aside": store.set_aside is not None,
        }
        return frozenset(name for name, wrong in told.items() if wrong)


def _whole(said: Snapshot, name: str) -> int:
    return int(said.total(name) or 0)


def _failures(said: Snapshot) -> float:
    by_category = said.by("errors_total", "category")
    return sum(count for name, count in by_category.items() if name not in _USERS_FAULTS)


def _breakers_open(said: Snapshot) -> frozenset[str]:
    reading = said.readings.get("breaker_state")
    values = reading.values.items() if reading else ()
    return frozenset(key[0] for key, value in values if value and key[1] != "closed")


def _durations(said: Snapshot) -> Mapping[str, tuple[int, ...]]:
    reading = said.readings.get("call_duration_seconds")
    values = reading.values.items() if reading else ()
    return {key[0]: value.counts for key, value in values if isinstance(value, Distribution)}


def _given_up(said: Snapshot) -> frozenset[str]:
    reading = said.readings.get("job_runs_total")
    values = reading.values.items() if reading else ()
    return frozenset(key[0] for key, value in values if value and key[1] == "gave up")
