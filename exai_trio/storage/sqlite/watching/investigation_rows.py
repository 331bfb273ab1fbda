"""Who investigates which incident, in the SQLite file: a lease in its row, and a row for each try."""

import json
from typing import TYPE_CHECKING, Any, Final

import attrs

from exai_trio import structs
from exai_trio.storage.sqlite.watching.incident_rows import read_incidents
from exai_trio.storage.watching.incident_records import Incident, Outcome, Spent

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.uploads.upload_store import Database

_CLAIMABLE: Final = """
    SELECT * FROM error_investigations
    WHERE resolved = 0 AND attempts < :tries
      AND state IN ('waiting', 'running', 'over_budget') AND coalesce(lease_until, 0) <= :now
      AND (:unasked OR requested)
      AND instr(error_context, 'exai_trio.incidents.') = 0
    ORDER BY requested DESC, last_occurrence_at DESC LIMIT 1
"""
_GIVEN_UP: Final = """
    UPDATE error_investigations SET state = 'failed', requested = 0, lease_until = NULL
    WHERE state = 'running' AND lease_until <= ? AND attempts >= ?
"""
# Those that would have been investigated wait for another day, and then wait again.
_OVER_BUDGET: Final = """
    UPDATE error_investigations SET state = 'over_budget'
    WHERE resolved = 0 AND state = 'waiting' AND (? OR requested)
"""
_PAUSE_S: Final = 60.0  # before the next try, twice as long each time


@structs.frozen
class SqliteInvestigations:
    """Investigations in the file of an open store."""

    _store: "Database"

    async def is_claimable(self, now: float, *, unasked: bool, tries: int) -> bool:
        given = {"now": now, "tries": tries, "unasked": unasked}
        return await self._store.read(
            lambda rows: rows.execute(_CLAIMABLE, given).fetchone() is not None
        )

    async def claim(
        self, now: float, for_s: float, *, unasked: bool, tries: int
    ) -> Incident | None:
        given = {"now": now, "tries": tries, "unasked": unasked, "until": now + for_s}
        return await self._store.write(lambda rows: _claim(rows, given))

    async def put_off(self, *, unasked: bool) -> None:
        await self._store.write(lambda rows: _done(rows, _OVER_BUDGET, (unasked,)))

    async def finish(self, incident_id: str, outcome: Outcome, now: float) -> None:
        await self._store.write(lambda rows: _finish(rows, incident_id, outcome, now))

    async def spent_since(self, at: float) -> Spent:
        query = "SELECT count(*), coalesce(sum(tokens), 0) FROM investigation_runs WHERE at >= ?"
        found = await self._store.read(lambda rows: rows.execute(query, (at,)).fetchone())
        return Spent(requests=found[0], tokens=found[1])


def _done(rows: "sqlite3.Connection", statement: str, given: tuple[object, ...]) -> None:
    rows.execute(statement, given)


def _claim(rows: "sqlite3.Connection", given: dict[str, Any]) -> Incident | None:
    rows.execute(_GIVEN_UP, (given["now"], given["tries"]))
    found = read_incidents(rows, _CLAIMABLE, given)
    if not found:
        return None
    incident = attrs.evolve(
        found[0], attempts=found[0].attempts + 1, lease_until=float(given["until"])
    )
    taken = (incident.attempts, incident.lease_until, incident.id)
    rows.execute(
        "UPDATE error_investigations SET state = 'running', attempts = ?, lease_until = ? WHERE id = ?",
        taken,
    )
    number = "INSERT INTO investigation_runs (incident, at, tokens) VALUES (?, ?, 0)"
    rows.execute(number, (incident.id, given["now"]))
    return incident


def _finish(rows: "sqlite3.Connection", incident_id: str, outcome: Outcome, now: float) -> None:
    given = {
        "id": incident_id,
        "state": outcome.state,
        "result": _json_or_none(outcome.result),
        "fix": _json_or_none(outcome.fix),
        "model": outcome.model,
        "ms": outcome.duration_ms,
        "tokens": outcome.tokens,
        "cost": outcome.cost,
        "asked": outcome.state == "waiting",
        "now": now,
        "pause": _PAUSE_S,
    }
    rows.execute(
        """
        UPDATE error_investigations SET state = :state, model_used = :model, investigation_duration_ms = :ms,
            investigation_result = coalesce(:result, investigation_result),
            fix_recommendation = coalesce(:fix, fix_recommendation),
            tokens = tokens + :tokens, cost = coalesce(cost + :cost, :cost, cost), lease_until = CASE WHEN :asked THEN :now + :pause * (1 << attempts) END,
            requested = requested AND :asked
        WHERE id = :id
        """,
        given,
    )
    newest = "UPDATE investigation_runs SET tokens = ? WHERE number = (SELECT max(number) FROM investigation_runs WHERE incident = ?)"
    rows.execute(newest, (outcome.tokens, incident_id))
    rows.execute("DELETE FROM investigation_runs WHERE at < ?", (now - 30 * 86_400,))


def _json_or_none(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=True)
