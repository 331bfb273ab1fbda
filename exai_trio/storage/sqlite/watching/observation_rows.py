"""What the auditor has said, in the SQLite file."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from exai_trio import structs
from exai_trio.storage.watching.incident_records import Spent
from exai_trio.storage.watching.observation_records import KEPT_S, SAID_AGAIN_S, Observation

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.uploads.upload_store import Database


@structs.frozen
class SqliteObservations:
    """ObservationStore in the file of an open store."""

    _store: "Database"

    async def add(self, seen: Sequence[Observation], tokens: int, now: float) -> int:
        return await self._store.write(lambda rows: _add(rows, seen, tokens, now))

    async def newest(self, most: int, *, before: float | None = None) -> tuple[Observation, ...]:
        return await self._store.read(lambda rows: _newest(rows, most, before))

    async def acknowledge(self, observation_id: str, by: str) -> bool:
        statement = "UPDATE observations SET acknowledged = 1, acknowledged_by = ? WHERE id = ?"
        given = (by, observation_id)
        return await self._store.write(lambda rows: rows.execute(statement, given).rowcount > 0)

    async def passes_since(self, at: float) -> Spent:
        query = "SELECT count(*), coalesce(sum(tokens), 0) FROM audits WHERE at >= ?"
        found = await self._store.read(lambda rows: rows.execute(query, (at,)).fetchone())
        return Spent(requests=found[0], tokens=found[1])


def _add(rows: "sqlite3.Connection", seen: Sequence[Observation], tokens: int, now: float) -> int:
    rows.execute("INSERT INTO audits (at, tokens) VALUES (?, ?)", (now, tokens))
    rows.execute("DELETE FROM audits WHERE at < ?", (now - KEPT_S,))
    rows.execute("DELETE FROM observations WHERE at < ?", (now - KEPT_S,))
    return sum(_add_one(rows, each) for each in seen)


def _add_one(rows: "sqlite3.Connection", seen: Observation) -> int:
    about = seen.id.partition("-")[0]
    said = "SELECT 1 FROM observations WHERE substr(id, 1, length(:about)) = :about AND at > :since"
    if rows.execute(said, {"about": about, "since": seen.at - SAID_AGAIN_S}).fetchone():
        return 0
    statement = "INSERT INTO observations (id, severity, category, text, figures, at) VALUES (?, ?, ?, ?, ?, ?)"
    figures = json.dumps(dict(seen.figures))
    given = (seen.id, seen.severity, seen.category, seen.text, figures, seen.at)
    return rows.execute(statement, given).rowcount


def _newest(rows: "sqlite3.Connection", most: int, before: float | None) -> tuple[Observation, ...]:
    query = (
        "SELECT id, severity, category, text, figures, at, acknowledged, acknowledged_by FROM observations"
        " WHERE ? IS NULL OR at < ? ORDER BY at DESC, id LIMIT ?"
    )
    return tuple(
        Observation(
            id=row[0],
            severity=row[1],
            category=row[2],
            text=row[3],
            figures=json.loads(row[4]),
            at=row[5],
            acknowledged=bool(row[6]),
            acknowledged_by=row[7],
        )
        for row in rows.execute(query, (before, before, most))
    )
