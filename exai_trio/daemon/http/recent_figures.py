"""The figures of the last minute, out of the meters: rates, percentiles, and what is read now. None is what is not measured."""

from typing import Any, Final

import trio

from exai_trio.observability.meters.readings import Distribution, Snapshot

from .watched_daemon import WatchedDaemon

_LEAST_S: Final = 0.9  # between two moments that are kept
_NOW: Final = {
    "memory_bytes": "process_resident_memory_bytes",
    "open_files": "process_open_fds",
    "tasks": "tasks",
    "store_up": "store_up",
    "journal_open_calls": "journal_open_calls",
    "alerts_firing": "alerts_firing",
    "incidents_open": "incidents_open",
    "outbox_entries": "outbox_entries",
}
_COUNTED: Final = {
    "resumes": "resumes_total",
    "replayed_frames": "replayed_frames_total",
    "messages": "messages_total",
    "refused": "calls_refused_total",
    "bugs": "bugs_total",
}
_READ: Final = (
    "calls_total",
    "call_duration_seconds",
    "errors_total",
    "loop_step_seconds",
    "process_cpu_seconds_total",
    "stored_bytes",
    "tokens_total",
    *_NOW.values(),
    *_COUNTED.values(),
)


def measured(watched: WatchedDaemon) -> dict[str, Any]:
    """`window_s` is how far back rates and percentiles go; percentiles come out of buckets, and are about."""
    now, at = watched.report.meters.snapshot(*_READ), trio.current_time()
    then_at, then = watched.recent[0] if watched.recent else (watched.report.began, Snapshot())
    if not watched.recent or at - watched.recent[-1][0] >= _LEAST_S:
        watched.recent.append((at, now))
    window_s = max(at - then_at, 1.0)
    fresh = now.since(then)
    ended = fresh.total("calls_total") or 0
    return {
        "window_s": round(window_s, 1),
        "calls_per_s": round(ended / window_s, 3),
        "cpu": _share(fresh.total("process_cpu_seconds_total"), window_s),
        "duration_ms": _percentiles(fresh.distribution("call_duration_seconds")),
        "loop_step_ms": _percentiles(fresh.distribution("loop_step_seconds")),
        "errors_by_category": fresh.by("errors_total", "category"),
        "failures": ended - fresh.by("calls_total", "outcome").get("ok", 0),
        "ended": ended,
        "tokens": now.by("tokens_total", "type"),
        "stored_bytes": now.by("stored_bytes", "kind"),
        **{name: now.total(family) for name, family in (_NOW | _COUNTED).items()},
    }


def _share(seconds: float | None, window_s: float) -> float | None:
    return None if seconds is None else round(seconds / window_s, 4)


def _percentiles(of: Distribution) -> dict[str, float | None]:
    found = {
        name: of.percentile(share) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }
    return {name: None if each is None else round(each * 1000, 3) for name, each in found.items()}
