"""The routes of the overview, and of what older pages read in its place."""

from functools import partial
from typing import Any

from ..overview import overview_of
from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon


def overview_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    answers = {
        "/api/overview": _overview,
        "/api/metrics/current": _metrics,
        "/api/cache-metrics": _cache,
        "/status": _health,
        "/api/health": _health,
    }
    return tuple(
        Route(path, "figures", partial(answer, watched)) for path, answer in answers.items()
    )


async def _overview(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    return overview_of(watched)


async def _health(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    return watched.report.health()


async def _metrics(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    """Under the older page's names."""
    overview = overview_of(watched)
    return {
        "timestamp": overview["t"],
        "status": overview["status"],
        "uptime_seconds": overview["uptime_s"],
        "websocket": overview["websocket"],
        "calls": overview["calls"],
        "semaphores": overview["permits"],
        "storage": overview["storage"],
    }


async def _cache(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    """Of the prompts' tokens those that providers had in their caches; nothing else is cached here."""
    calls = await watched.ended.since(watched.now() - _HOUR_S)
    known = [call for call in calls if call.input_tokens is not None]
    asked = sum(call.input_tokens or 0 for call in known)
    cached = sum(call.cached_tokens or 0 for call in known)
    return {
        "window_s": _HOUR_S,
        "calls": len(known),
        "input_tokens": asked,
        "cached_tokens": cached,
        "hit_rate": round(cached / asked, 4) if asked else None,
    }


_HOUR_S = 3600.0
