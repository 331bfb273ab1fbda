"""The figures that are read when they are asked for: each from its owner, and none from a disk or a network."""

from collections.abc import Callable, Mapping, Sized
from functools import partial

import trio

from exai_trio import __version__
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.storage.store_times import StoreTimes
from exai_trio.system import process_figures

from .report import Report

Values = Mapping[tuple[str, ...], float]


def attach_gauges(
    meters: Meters,
    report: Report,
    running: Callable[[], int],
    journalled: Callable[[], int],
    sessions: Sized,
) -> None:
    meters.read("calls_running", running)
    if report.context.journal is not None:
        meters.read("journal_open_calls", journalled)
    meters.read("sessions", partial(len, sessions))
    meters.read("permits", partial(_permits, report, "expected"))
    meters.read("permits_in_use", partial(_permits, report, "inflight"))
    meters.read("permits_waiting", partial(_permits, report, "waiting"))
    meters.read("breaker_state", partial(_breakers, report))
    meters.read("store_up", partial(_store_up, report))
    meters.read("stored_bytes", partial(_stored_bytes, report))
    hosted = report.hosted
    if hosted is not None:
        meters.read("outbox_entries", lambda: hosted.outbox_entries)
        meters.read("outbox_age_seconds", lambda: hosted.outbox_age_s)
    meters.read("upload_reuse_total", partial(_uploads, report))
    meters.read("upload_bytes_saved_total", lambda: report.saved.bytes)
    meters.read("tasks", _tasks)
    meters.read("messages_total", report.traffic.messages)
    meters.read("message_bytes_total", report.traffic.sizes)
    meters.read("build_info", lambda: {(__version__,): 1})
    meters.read("process_resident_memory_bytes", process_figures.resident_bytes)
    meters.read("process_cpu_seconds_total", process_figures.cpu_seconds)
    meters.read("process_open_fds", process_figures.open_files)
    meters.read("process_start_time_seconds", lambda: report.started_at)


def _permits(report: Report, figure: str) -> Values:
    limits = report.semaphores()
    values: dict[tuple[str, ...], float] = {("global",): float(limits["global"][figure])}
    for provider, permits in limits["providers"].items():
        taken = permits["expected"] - permits["current"]
        values[(provider,)] = float(taken if figure == "inflight" else permits[figure])
    return values


def _breakers(report: Report) -> Values:
    return {
        (name, state): float(state == now)
        for name, now in report.gateway.breakers().items()
        for state in ("closed", "open", "half open")
    }


def _store_up(report: Report) -> float | None:
    if report.store is None:
        return None
    return float(report.store.fault is None and not report.store.is_full)


def _stored_bytes(report: Report) -> Values:
    """What the disk was asked for stands in the report already."""
    bus = {} if report.bus is None else {"bus": report.bus.held_bytes}
    return {(kind,): float(size) for kind, size in {**report.sizes.kinds, **bus}.items()}


def _uploads(report: Report) -> Values:
    saved = report.saved
    return {("reused",): float(saved.hits), ("uploaded",): float(saved.wanted - saved.hits)}


def attach_store_times(meters: Meters, times: StoreTimes) -> None:
    """From now on the meters count how long requests to the store take."""
    seconds = meters.histogram("store_seconds")

    def note(backend: str, operation: str, took_s: float) -> None:
        seconds.observe(took_s, backend, operation)

    times.note = note


def _tasks() -> float:
    return float(trio.lowlevel.current_statistics().tasks_living)
