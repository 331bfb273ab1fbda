"""The daemon at a glance: figures alone, for the overview's page, its feed and its first HTML."""

from typing import Any

from exai_trio.observability.times import rfc3339

from ..calls.call import Call
from ..calls.states import State
from .recent_figures import measured
from .watched_daemon import WatchedDaemon

MOST_RUNNING = 200
_ON_DISK = {State.ADMITTED, State.ACCEPTING, State.RECORDING, State.LATE}


def overview_of(watched: WatchedDaemon) -> dict[str, Any]:
    report = watched.report
    health = report.health()
    return {
        **{name: health[name] for name in _OF_HEALTH},
        "websocket": report.websocket(),
        "providers": [_provider(each) for each in health["providers"] if each["configured"]],
        "meters": measured(watched),
        "running": running_rows(watched),
    }


_OF_HEALTH = (
    "t", "status", "version", "boot_id", "started_at", "uptime_s", "uptime_human", "sessions", "connections", "calls", "permits",
    "tool_count", "simulator", "storage", "troubles",
)  # fmt: skip


def _provider(facts: dict[str, Any]) -> dict[str, Any]:
    kept = ("name", "title", "simulated", "breakers")
    return {name: facts[name] for name in kept}


def running_rows(watched: WatchedDaemon) -> list[dict[str, Any]]:
    """The calls that are not over, the oldest first; no more than a page can show."""
    calls = list(watched.sessions.calls.open)[:MOST_RUNNING]
    return [running_row(call) for call in calls]


def running_row(call: Call) -> dict[str, Any]:
    """What anybody may know of it."""
    return {
        "id": call.call_id,
        "tool": call.tool.name,
        "provider": call.waits.provider_name,
        "model": call.waits.spent.model,
        "stage": _stage(call),
        "age_s": round(call.elapsed, 1),
        "started_at": rfc3339(call.accepted_at),
        "attempt": call.attempt,
    }


def _stage(call: Call) -> str:
    """What it does, or waits for."""
    if call.state in _ON_DISK:
        return "journal"
    return "ending" if call.ending else call.doing
