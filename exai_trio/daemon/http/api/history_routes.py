"""The route of history: calls over time, for the charts."""

from functools import partial
from typing import Any, Final

from exai_trio.errors import ArgumentError
from exai_trio.storage.call_pages import CallsAt

from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon

# Seconds that a range covers, and between two of its points: at most 400 of them.
RANGES: Final = {
    "1h": (3_600.0, 10.0),
    "24h": (86_400.0, 300.0),
    "14d": (14 * 86_400.0, 3_600.0),
    "400d": (400 * 86_400.0, 86_400.0),
}


def history_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (Route(path="/api/history", gives="figures", answer=partial(_history, watched)),)


async def _history(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Columns, as charts want them; null where nothing ended. Raises ExaiError."""
    name = asked.query.get("range", "1h")
    if name not in RANGES:
        raise ArgumentError(f"range must be one of {', '.join(RANGES)}", details={"field": "range"})
    span_s, step_s = RANGES[name]
    until = watched.now()
    found = await watched.ended.series(until - span_s, step_s, None)
    return {"range": name, "step_s": step_s, **_columns(found, until - span_s, until, step_s)}


def _columns(
    found: tuple[CallsAt, ...], since: float, until: float, step_s: float
) -> dict[str, list[Any]]:
    known = {round(each.at / step_s): each for each in found}
    steps = range(int(since // step_s), int(until // step_s) + 1)
    rows = [known.get(step) for step in steps]
    return {
        "t": [step * step_s for step in steps],
        "calls": [row.calls if row else None for row in rows],
        "failures": [row.failures if row else None for row in rows],
        "mean_ms": [row.mean_ms if row else None for row in rows],
    }
