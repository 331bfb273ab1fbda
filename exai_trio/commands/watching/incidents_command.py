"""`exai incidents`: the faults that were seen, each once; looked at, explained, resolved and opened again."""

from argparse import Namespace
from collections.abc import Iterator
from typing import cast

import trio

from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.watching.open_home import in_home
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.incidents.told import incident_told
from exai_trio.observability.times import rfc3339
from exai_trio.principals import OWNER
from exai_trio.storage.sqlite.store import SqliteStore
from exai_trio.storage.sqlite.watching.incident_rows import SqliteIncidents
from exai_trio.storage.watching.incident_records import Incident
from exai_trio.system.clock import unix_now

_SHOWN = 60  # characters of a message in the list
_MINUTES = 16  # characters of a time


def main(started: Started) -> int:
    config, asked = started.loaded.config, started.arguments
    console = Console.of_process(started.environ)

    async def work(store: SqliteStore) -> int:
        return await _act(SqliteIncidents(store), asked, console, config)

    return trio.run(in_home, config, work)


async def _act(
    incidents: SqliteIncidents, asked: Namespace, console: Console, config: Config
) -> int:
    if asked.action in {None, "list"}:
        await _list(incidents, asked, console)
        return 0
    incident = await _the_one(incidents, asked.incident)
    match asked.action:
        case "show":
            _show(incident, console, as_json=asked.json)
        case "investigate":
            await incidents.request(incident.id)
            console.say(f"{incident.id} is to be investigated by {config.investigator_model}")
            console.note(
                "exai: a daemon that runs does it within half a minute; `exai incidents show` tells what came of it"
            )
        case "resolve":
            done = await incidents.resolve(
                incident.id, notes=asked.notes, by=OWNER, version=asked.version, now=unix_now()
            )
            console.say(
                f"{incident.id} is resolved" if done else f"{incident.id} was resolved before"
            )
        case _:
            done = await incidents.reopen(incident.id)
            console.say(f"{incident.id} is open again" if done else f"{incident.id} is open")
    return 0


async def _the_one(incidents: SqliteIncidents, wanted: str) -> Incident:
    """Raises: NotFoundError, ArgumentError if it could be several."""
    found = await incidents.get(wanted)
    if len(found) == 0:
        raise NotFoundError(f"no incident has the id {wanted!r}; `exai incidents` lists them")
    if len(found) > 1:
        raise ArgumentError(
            f"{wanted!r} begins {len(found)} ids: {', '.join(each.id for each in found[:5])}"
        )
    return found[0]


async def _list(incidents: SqliteIncidents, asked: Namespace, console: Console) -> None:
    everything = getattr(asked, "all", False)
    found = await incidents.newest(200, resolved=None if everything else False)
    if asked.json:
        console.say_json([incident_told(each) for each in found])
    elif found:
        console.say(columns(map(_row, found), console.width))
    else:
        console.note("exai: no incident is open")


def _row(incident: Incident) -> tuple[str, ...]:
    what = f"{incident.error_type}: {incident.message}" if incident.error_type else incident.message
    return (
        incident.id,
        incident.kind,
        "resolved" if incident.resolved else "open again" if incident.reopened else "open",
        incident.state,
        f"{incident.occurrence_count:,} times",
        rfc3339(incident.last_occurrence_at)[:_MINUTES],
        " ".join(what.split())[:_SHOWN],
    )


def _show(incident: Incident, console: Console, *, as_json: bool) -> None:
    if as_json:
        console.say_json(incident_told(incident, whole=True))
    else:
        console.tell("\n".join(_lines(incident)))


def _lines(incident: Incident) -> Iterator[str]:
    yield f"incident {incident.id}: {incident.kind}, {incident.severity}, {incident.error_type or 'a record of the log'}"
    yield incident.message
    yield f"seen {incident.occurrence_count:,} times, first {rfc3339(incident.created_at)}, last {rfc3339(incident.last_occurrence_at)}, version {incident.version}"
    if incident.resolved:
        yield f"resolved by {incident.resolved_by}{f' in {incident.resolved_in}' if incident.resolved_in else ''}: {incident.resolution_notes}"
    elif incident.reopened:
        yield f"came back {incident.reopened} times; it had been resolved: {incident.resolution_notes}"
    yield from ("", str(incident.context.get("trace", "")))
    log = cast("list[object]", incident.context.get("log") or [])
    yield from ("", "the log before it:", *map(str, log)) if log else ()
    yield from _explained(incident)


def _explained(incident: Incident) -> Iterator[str]:
    if incident.result is None:
        yield f"\nnot explained ({incident.state}); `exai incidents investigate {incident.id}` has {'it done' if incident.requested else 'a model asked'}"
        return
    grounded = "" if incident.result.get("grounded") else ", not grounded in what it was shown"
    yield f"\n{incident.model_used} thinks (confidence {incident.result.get('confidence')}{grounded}):"
    yield str(incident.result.get("root_cause", ""))
    if incident.fix:
        yield f"fix: {incident.fix.get('summary', '')}"
        yield from (f"  - {step}" for step in incident.fix.get("steps", []))
        yield from ["", str(incident.fix["patch"])] if incident.fix.get("patch") else []
