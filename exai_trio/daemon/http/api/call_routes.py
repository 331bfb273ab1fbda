"""The routes of calls: running and ended ones, one of them in detail, and its cancel."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec

from exai_trio.errors import CallCancelled, NotFoundError, UnauthorizedError
from exai_trio.incidents.told import incident_in_short
from exai_trio.observability.json_bytes import json_bytes
from exai_trio.observability.times import rfc3339
from exai_trio.observability.toolcalls import shortened
from exai_trio.storage.call_pages import CallFilter, NumberedCall
from exai_trio.storage.watching.incident_records import Incident

from ...calls.call import Call
from ..log_excerpt import lines_with
from ..overview import running_row, running_rows
from ..route_table import Asked, Content, Route
from ..watched_daemon import WatchedDaemon

_FIGURES: Final = (
    "id", "tool", "provider", "model", "code", "category", "attempt", "duration_ms", "first_chunk_ms", "input_tokens", "output_tokens",
    "cost", "currency",
)  # fmt: skip
_OPEN: Final = ("tool", "model", "code", "category")
_PERSONAL: Final = ("principal", "project", "session")
_MOST_MS: Final = 400 * 86_400_000.0
_MOST_S: Final = 2.0**53
_LOG_LINES: Final = 100
_MOST_HOURS: Final = 30 * 24.0
_MOST_EXPORTED: Final = 10_000


def call_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (
        Route("/api/calls", "figures", partial(_list, watched)),
        Route("/api/export", "figures", partial(_export, watched)),
        Route("/api/calls/{id}", "texts", partial(_one, watched)),
        Route("/api/calls/{id}/cancel", "changes", partial(_cancel, watched), "POST"),
    )


async def _list(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """The calls that run, and a page of those that have ended. Raises ExaiError."""
    wanted, before = _filter(asked), asked.before
    found = await watched.ended.page(wanted, None if before is None else int(before), asked.limit)
    is_whole = len(found) < asked.limit
    return {
        "running": running_rows(watched) if before is None else [],
        "rows": [_row(each) for each in found],
        "next": None if is_whole or not found else found[-1].number,
    }


async def _export(watched: WatchedDaemon, asked: Asked) -> Content:
    """The figures of the ended calls of some hours, the newest first, as a file. Raises ExaiError."""
    hours = asked.number("hours", 24, least=0, most=_MOST_HOURS)
    wanted = CallFilter(since=watched.now() - hours * 3600)
    found = await watched.ended.page(wanted, None, _MOST_EXPORTED)
    named = {"content-disposition": 'attachment; filename="exai-calls.json"'}
    return Content(body=json_bytes([_row(each) for each in found]), headers=named)


def _filter(asked: Asked) -> CallFilter:
    """Raises ArgumentError; UnauthorizedError where it would tell who called. Somebody's own calls are all that they may look for."""
    query = asked.query
    given: dict[str, Any] = {name: query[name] for name in (*_OPEN, *_PERSONAL) if query.get(name)}
    if given.keys() & set(_PERSONAL):
        _check_personal(asked, given)
    if given.get("code") == "ok":
        given["code"] = ""
    if query.get("failed"):
        given["failed"] = query["failed"] == "1"
    for name, most in (("least_ms", _MOST_MS), ("most_ms", _MOST_MS), ("since", _MOST_S), ("until", _MOST_S)):  # fmt: skip
        if query.get(name):
            given[name] = asked.number(name, 0, least=0, most=most)
    return CallFilter(**given)


def _check_personal(asked: Asked, given: Mapping[str, Any]) -> None:
    if not asked.by.may("texts"):
        raise UnauthorizedError("log in to look for a principal, a project or a session")
    if not asked.by.is_admin and given.get("principal") != asked.by.principal:
        raise UnauthorizedError("look for your own calls: principal must be you")


def _row(numbered: NumberedCall) -> dict[str, Any]:
    call = numbered.call
    figures = {name: getattr(call, name) for name in _FIGURES}
    return {"number": numbered.number, "started_at": rfc3339(call.started_at), **figures}


async def _one(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Everything that is known of one call, by its id or its correlation id. Raises NotFoundError, also for somebody else's."""
    running = _running(watched, asked.path["id"])
    if running is not None and asked.by.may_see(running.principal):
        return await _with_more(watched, asked, _details(running))
    ended = await watched.ended_call(asked.path["id"])
    if ended is None or not asked.by.may_see(ended.call.principal):
        raise _unknown()
    times = {"started_at": rfc3339(ended.call.started_at), "running": False}
    told: dict[str, Any] = msgspec.to_builtins(ended.call) | times
    return await _with_more(watched, asked, told)


async def _with_more(watched: WatchedDaemon, asked: Asked, told: dict[str, Any]) -> dict[str, Any]:
    """The lines of its log, and what faults were seen in it, for who may look at these."""
    found: tuple[Incident, ...] = ()
    if watched.watching is not None and asked.by.may("administration"):
        found = await watched.watching.stores.incidents.of_call(told["correlation_id"])
    return {
        "call": told,
        "logs": await _logs(watched, told["correlation_id"]),
        "incidents": [incident_in_short(each) for each in found],
    }


def _details(call: Call) -> dict[str, Any]:
    masked = call.environment.keys.masked_within
    return {
        **running_row(call),
        "running": True,
        "correlation_id": call.correlation_id,
        "session": call.session_id,
        "principal": call.principal,
        "project": str(call.roots[0]) if call.roots else "",
        "detail": call.environment.keys.masked(call.detail),
        "arguments": masked(shortened(call.request.arguments)),
        "permit_wait_ms": round(call.waits.permit * 1000, 3),
        "provider_wait_ms": round(call.waits.provider * 1000, 3),
        "timeout_s": call.timeout,
    }


async def _logs(watched: WatchedDaemon, correlation_id: str) -> list[str]:
    path = watched.config.logs / "ws_daemon.log"
    return await lines_with(path, correlation_id, _LOG_LINES)


def _running(watched: WatchedDaemon, call_id: str) -> Call | None:
    calls = watched.sessions.calls.open
    return next((c for c in calls if call_id in (c.call_id, c.correlation_id)), None)


async def _cancel(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Its client hears CANCELLED. Raises NotFoundError where there is nothing to cancel."""
    call = _running(watched, asked.path["id"])
    if call is None or not call.is_cancellable or not asked.by.may_see(call.principal):
        raise _unknown("no call with this id is running")
    call.end(CallCancelled("the call was cancelled from the dashboard"))
    return {"cancelled": call.call_id}


def _unknown(text: str = "no call with this id is known, or it is not yours") -> NotFoundError:
    return NotFoundError(text)
