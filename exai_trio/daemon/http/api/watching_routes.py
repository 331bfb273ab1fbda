"""The routes of what the daemon sees go wrong: alerts, incidents, the auditor's observations."""

from functools import partial
from typing import Any, Final

from exai_trio.errors import ArgumentError, NotFoundError, ServiceUnavailableError
from exai_trio.incidents.told import incident_told
from exai_trio.monitoring.alerts.alert_rules import BY_NAME
from exai_trio.monitoring.alerts.alerts import rules_told
from exai_trio.observability.times import rfc3339
from exai_trio.storage.watching.incident_records import Incident
from exai_trio.storage.watching.observation_records import Observation

from ...jobs.watching import Watching
from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon

_LONGEST_SILENCE_S: Final = 366 * 86_400.0
_LONGEST_NOTE: Final = 2_000
_SILENCE_S: Final = 3600.0


def watching_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    def change(path: str, answer: Any) -> Route:
        return Route(path, "administration", partial(answer, watched), "POST")

    return (
        Route("/api/alerts", "figures", partial(_alerts, watched)),
        change("/api/alerts/{name}/silence", _silence),
        change("/api/alerts/{name}/unsilence", _unsilence),
        Route("/api/incidents", "figures", partial(_incidents, watched)),
        Route("/api/incidents/{id}", "administration", partial(_incident, watched)),
        change("/api/incidents/{id}/investigate", _investigate),
        change("/api/incidents/{id}/resolve", _resolve),
        change("/api/incidents/{id}/reopen", _reopen),
        Route("/api/auditor/observations", "figures", partial(_observations, watched)),
        change("/api/auditor/observations/{id}/acknowledge", _acknowledge),
    )


def _there(watched: WatchedDaemon) -> Watching:
    if watched.watching is None:
        raise ServiceUnavailableError("nothing of this is kept here")
    return watched.watching


async def _alerts(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    alerts = _there(watched).alerts
    return {"rows": alerts.told(), "rules": rules_told(alerts.states, alerts.silenced)}


async def _silence(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    alerts, name = _there(watched).alerts, _rule(asked)
    for_s = asked.body.get("for_s", _SILENCE_S)
    if (
        isinstance(for_s, bool)
        or not isinstance(for_s, int | float)
        or not 0 < for_s <= _LONGEST_SILENCE_S
    ):
        raise ArgumentError("for_s must be a number of seconds above 0, a year at most")
    await alerts.silence(name, float(for_s), asked.by.principal)
    return {"name": name, "silenced_until": rfc3339(alerts.silenced[name])}


async def _unsilence(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    name = _rule(asked)
    await _there(watched).alerts.unsilence(name, asked.by.principal)
    return {"name": name, "silenced_until": None}


def _rule(asked: Asked) -> str:
    """Raises NotFoundError."""
    name = asked.path["name"]
    if name not in BY_NAME:
        raise NotFoundError(f"there is no alert {name[:80]!r}; there are {', '.join(BY_NAME)}")
    return name


async def _incidents(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Those that are open; `resolved=1` the others, `resolved=all` both; of a `kind`, with a text `q`. `next` is the key of the page behind."""
    wanted = {"": False, "0": False, "1": True, "all": None}
    resolved = asked.query.get("resolved", "")
    if resolved not in wanted:
        raise ArgumentError("resolved must be 0, 1 or all", details={"field": "resolved"})
    store, limit = _there(watched).stores.incidents, asked.limit
    found = await store.newest(
        limit,
        resolved=wanted[resolved],
        before=asked.before,
        kind=asked.query.get("kind") or None,
        text=asked.query.get("q", "")[:_LONGEST_NOTE],
    )
    more = found[-1].last_occurrence_at if len(found) == limit else None
    return {"rows": [incident_told(each) for each in found], "next": more}


async def _incident(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """With the calls in which it was seen last. Raises ExaiError."""
    one = await _the_one(watched, asked)
    seen = await _there(watched).stores.incidents.calls_of(one.id)
    calls = [{"correlation_id": each.correlation_id, "at": rfc3339(each.at)} for each in seen]
    return incident_told(one, whole=True) | {"calls": calls}


async def _the_one(watched: WatchedDaemon, asked: Asked) -> Incident:
    """Raises NotFoundError; a whole id is wanted."""
    wanted = asked.path["id"]
    found = await _there(watched).stores.incidents.get(wanted)
    one = next((each for each in found if each.id == wanted), None)
    if one is None:
        raise NotFoundError("there is no incident of this id")
    return one


async def _investigate(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    store = _there(watched).stores.incidents
    await store.request((await _the_one(watched, asked)).id)
    return incident_told(await _the_one(watched, asked))


async def _resolve(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    watching = _there(watched)
    incident = await _the_one(watched, asked)
    notes = asked.text("notes", _LONGEST_NOTE) if asked.body.get("notes") else ""
    version = asked.text("version") if asked.body.get("version") else ""
    await watching.stores.incidents.resolve(
        incident.id, notes=notes, by=asked.by.principal, version=version, now=watched.now()
    )
    await watching.incidents.count_open()
    return incident_told(await _the_one(watched, asked))


async def _reopen(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    watching = _there(watched)
    await watching.stores.incidents.reopen((await _the_one(watched, asked)).id)
    await watching.incidents.count_open()
    return incident_told(await _the_one(watched, asked))


async def _observations(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    watching, limit = _there(watched), asked.limit
    found = await watching.stores.observations.newest(limit, before=asked.before)
    more = found[-1].at if len(found) == limit else None
    return {
        "rows": [_observation(each) for each in found],
        "next": more,
        "enabled": watched.config.auditor_enabled,
    }


def _observation(seen: Observation) -> dict[str, Any]:
    return {
        "id": seen.id,
        "severity": seen.severity,
        "category": seen.category,
        "text": seen.text,
        "figures": dict(seen.figures),
        "at": rfc3339(seen.at),
        "acknowledged": seen.acknowledged,
        "acknowledged_by": seen.acknowledged_by,
    }


async def _acknowledge(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    store = _there(watched).stores.observations
    if not await store.acknowledge(asked.path["id"], asked.by.principal):
        raise NotFoundError("there is no observation of this id")
    return {"id": asked.path["id"], "acknowledged": True}
