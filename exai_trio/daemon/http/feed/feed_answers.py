"""The answers to the older system's commands, as frames: each has its type, the time, and what the command gave."""

from typing import Any
from urllib.parse import urlencode

from exai_trio.observability.json_bytes import json_bytes
from exai_trio.observability.times import rfc3339

from ..watched_daemon import WatchedDaemon
from .feed_commands import FeedCommand
from .told_events import ToldEvents

_RECENT = 50


def frame(kind: str, now: float, **content: object) -> str:
    return json_bytes({"type": kind, "timestamp": rfc3339(now), **content}).decode()


def initial_stats(watched: WatchedDaemon, events: ToldEvents) -> str:
    return frame(
        "initial_stats",
        watched.now(),
        stats=events.stats(),
        session_metrics=session_metrics(watched),
        recent_events=events.newest(_RECENT),
    )


def session_metrics(watched: WatchedDaemon) -> dict[str, Any]:
    socket = watched.report.websocket()
    return {
        "active_sessions": socket["sessions"],
        "connections": socket["connections"],
        "max_connections": socket["max_connections"],
        "running_calls": len(watched.sessions.calls.open),
    }


async def answer_to(command: FeedCommand, watched: WatchedDaemon, events: ToldEvents) -> str:
    """The frame that answers it. Raises StorageError. Cancelling changes nothing."""
    about = {"connection_type": command.kind or "all"}
    now = watched.now()
    match command.name:
        case "get_stats":
            return frame("stats", now, **about, stats=events.stats(command.kind))
        case "get_recent_events":
            newest = events.newest(command.limit, command.kind)
            return frame("recent_events", now, **about, limit=command.limit, events=newest)
        case "export":
            return frame("export_complete", now, **about, path=_download(command))
        case "get_time_series":
            data = await _series(command, watched, command.step_s)
            given = {"hours": command.hours, "interval_minutes": command.interval_minutes}
            return frame("time_series_data", now, **about, **given, data=data)
        case _:
            data = await _series(command, watched, max(3600.0, command.step_s))
            return frame("historical_data", now, **about, hours=command.hours, data=data)


async def _series(
    command: FeedCommand, watched: WatchedDaemon, step_s: float
) -> list[dict[str, Any]]:
    """Calls, of which a kind that is a provider has its own; others than these and the WebSocket have none."""
    since = watched.now() - command.hours * 3600
    provider = None if command.kind in (None, "websocket") else command.kind
    found = await watched.ended.series(since, step_s, provider)
    return [
        {
            "timestamp": rfc3339(each.at),
            "total_events": each.calls,
            "total_errors": each.failures,
            "avg_response_time_ms": round(each.mean_ms, 3),
        }
        for each in found
    ]


def _download(command: FeedCommand) -> str:
    """What the client asked for is fetched there; nothing is written here, whatever it named."""
    return f"/api/export?{urlencode({'hours': f'{command.hours:g}'})}"
