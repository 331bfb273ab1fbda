"""The route of history: what the meters said over time, as columns for charts."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from exai_trio.errors import ArgumentError
from exai_trio.storage.watching.metric_history import Point

from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon

# Seconds that a range covers.
RANGES: Final = {"1h": 3_600.0, "24h": 86_400.0, "14d": 14 * 86_400.0, "400d": 400 * 86_400.0}
_FAMILIES: Final = (
    "calls_total",
    "call_duration_seconds",
    "calls_running",
    "process_resident_memory_bytes",
)
_GAP: Final = 1.5  # of a point's length, after which nothing was measured


def history_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (Route("/api/history", "figures", partial(_history, watched)),)


async def _history(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Columns; a row of nulls is a time without a daemon. Raises ExaiError. Cancelling changes nothing."""
    name = asked.query.get("range", "1h")
    if name not in RANGES:
        raise ArgumentError(f"range must be one of {', '.join(RANGES)}", details={"field": "range"})
    now = watched.now()
    points = await watched.history.store.points(now - RANGES[name], now, _FAMILIES)
    rows = list(_rows(points))
    columns = {each: [row.get(each) for row in rows] for each in ("t", *_COLUMNS)}
    return {"range": name, **columns}


def _rows(points: tuple[Point, ...]) -> Iterator[dict[str, float | None]]:
    until: float | None = None
    for point in points:
        if until is not None and point.at > until + _GAP * point.seconds:
            yield {"t": until}
        yield {"t": point.at, **{name: read(point) for name, read in _COLUMNS.items()}}
        until = point.at + point.seconds


def _percentile(share: float, point: Point) -> float | None:
    return _ms(point.said.distribution("call_duration_seconds").percentile(share))


def _mean(point: Point) -> float | None:
    durations = point.said.distribution("call_duration_seconds")
    return _ms(durations.sum / durations.count) if durations.count else None


def _failures(point: Point) -> float | None:
    calls = point.said.total("calls_total")
    return None if calls is None else calls - (point.said.total("calls_total", outcome="ok") or 0)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _total(family: str, point: Point) -> float | None:
    return point.said.total(family)


_COLUMNS: Final[dict[str, Callable[[Point], float | None]]] = {
    "calls": partial(_total, "calls_total"),
    "failures": _failures,
    "running": partial(_total, "calls_running"),
    "memory_bytes": partial(_total, "process_resident_memory_bytes"),
    "mean_ms": _mean,
    "p50_ms": partial(_percentile, 0.5),
    "p95_ms": partial(_percentile, 0.95),
    "p99_ms": partial(_percentile, 0.99),
}
