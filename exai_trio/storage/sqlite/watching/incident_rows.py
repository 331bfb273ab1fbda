"""Incidents in the SQLite file: a row each, counted by one statement."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from exai_trio import structs
from exai_trio.storage.watching.incident_records import (
    MOST_CALLS,
    MOST_OPEN,
    MOST_RESOLVED,
    Change,
    Incident,
    Noted,
    Occurrence,
    Seen,
)

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.uploads.upload_store import Database

# Open again is what was to be gone in this version or an earlier one.
_BACK: Final = "(resolved = 1 AND resolved_order <= :order)"
_COUNT: Final = """
    INSERT INTO error_investigations (
        id, error_hash, error_message, error_type, error_context, created_at, occurrence_count, last_occurrence_at,
        kind, severity, version
    ) VALUES (:id, :hash, :message, :type, :context, :first, :count, :last, :kind, :severity, :version)
    ON CONFLICT (error_hash) DO UPDATE SET
        occurrence_count = occurrence_count + excluded.occurrence_count,
        last_occurrence_at = max(last_occurrence_at, excluded.last_occurrence_at),
        reopened = reopened + BACK,
        version = CASE WHEN BACK THEN excluded.version ELSE version END,
        error_context = CASE WHEN BACK THEN excluded.error_context ELSE error_context END,
        state = CASE WHEN BACK THEN 'waiting' ELSE state END,
        attempts = CASE WHEN BACK THEN 0 ELSE attempts END,
        lease_until = CASE WHEN BACK THEN NULL ELSE lease_until END,
        resolved = CASE WHEN BACK THEN 0 ELSE resolved END
""".replace("BACK", _BACK)
_BEYOND: Final = """
    DELETE FROM error_investigations WHERE id IN (
        SELECT id FROM error_investigations WHERE resolved = ? ORDER BY last_occurrence_at DESC, id LIMIT -1 OFFSET ?
    )
"""
_SEEN_IN: Final = (
    "INSERT OR REPLACE INTO incident_calls (incident, correlation_id, at) VALUES (?, ?, ?)"
)
_CALLS_BEYOND: Final = """
    DELETE FROM incident_calls WHERE rowid IN (
        SELECT rowid FROM incident_calls WHERE incident = ? ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?
    )
"""
_ORDER_DIGITS: Final = 8


@structs.frozen
class SqliteIncidents:
    """IncidentStore in the file of an open store."""

    _store: "Database"
    _most_open: int = MOST_OPEN

    async def note(self, occurrences: Sequence[Occurrence]) -> tuple[Noted, ...]:
        return await self._store.write(lambda rows: _note(rows, occurrences, self._most_open))

    async def newest(
        self,
        most: int,
        *,
        resolved: bool | None = None,
        before: float | None = None,
        kind: str | None = None,
        text: str = "",
    ) -> tuple[Incident, ...]:
        query = (
            "SELECT * FROM error_investigations WHERE (:resolved IS NULL OR resolved = :resolved)"
            " AND (:before IS NULL OR last_occurrence_at < :before) AND (:kind IS NULL OR kind = :kind)"
            " AND instr(lower(id || ' ' || error_type || ': ' || error_message), lower(:text)) > 0"
            " ORDER BY last_occurrence_at DESC, id LIMIT :most"
        )
        given: dict[str, object] = {"resolved": resolved, "before": before, "most": most}
        given |= {"kind": kind, "text": text}
        return await self._store.read(lambda rows: read_incidents(rows, query, given))

    async def calls_of(self, incident_id: str) -> tuple[Seen, ...]:
        query = "SELECT correlation_id, at FROM incident_calls WHERE incident = ? ORDER BY at DESC, rowid DESC"
        found = await self._store.read(lambda rows: rows.execute(query, (incident_id,)).fetchall())
        return tuple(Seen(correlation_id=call, at=at) for call, at in found)

    async def of_call(self, correlation_id: str) -> tuple[Incident, ...]:
        query = (
            "SELECT * FROM error_investigations WHERE id IN"
            " (SELECT incident FROM incident_calls WHERE correlation_id = :call) ORDER BY id"
        )
        return await self._store.read(
            lambda rows: read_incidents(rows, query, {"call": correlation_id})
        )

    async def get(self, incident_id: str) -> tuple[Incident, ...]:
        query = "SELECT * FROM error_investigations WHERE substr(id, 1, length(:id)) = :id LIMIT 20"
        return await self._store.read(lambda rows: read_incidents(rows, query, {"id": incident_id}))

    async def resolve(
        self, incident_id: str, *, notes: str, by: str, version: str, now: float
    ) -> bool:
        statement = (
            "UPDATE error_investigations SET resolved = 1, requested = 0, resolution_notes = ?, resolved_by = ?, resolved_in = ?,"
            " resolved_order = ?, resolved_at = ? WHERE id = ? AND resolved = 0"
        )
        given = (notes, by, version, version_order(version), now, incident_id)
        return await self._changed(statement, given)

    async def reopen(self, incident_id: str) -> bool:
        statement = (
            "UPDATE error_investigations SET resolved = 0, reopened = reopened + 1, state = 'waiting', attempts = 0"
            " WHERE id = ? AND resolved = 1"
        )
        return await self._changed(statement, (incident_id,))

    async def request(self, incident_id: str) -> bool:
        statement = (
            "UPDATE error_investigations SET requested = 1, attempts = 0, lease_until = CASE state WHEN 'running' THEN lease_until END,"
            " state = CASE state WHEN 'running' THEN state ELSE 'waiting' END WHERE id = ?"
        )
        return await self._changed(statement, (incident_id,))

    async def counts(self) -> dict[str, int]:
        query = "SELECT kind, count(*) FROM error_investigations WHERE resolved = 0 GROUP BY kind"
        return await self._store.read(lambda rows: dict(rows.execute(query).fetchall()))

    async def _changed(self, statement: str, given: tuple[object, ...]) -> bool:
        return await self._store.write(lambda rows: rows.execute(statement, given).rowcount > 0)


def version_order(version: str) -> str:
    """A text that sorts as versions do; of none the first of all."""
    numbers = re.findall(r"\d+", version)
    return ".".join(number.zfill(_ORDER_DIGITS) for number in numbers)


def _note(
    rows: "sqlite3.Connection", occurrences: Sequence[Occurrence], most: int
) -> tuple[Noted, ...]:
    noted = tuple(_count(rows, each) for each in occurrences)
    if any(each.change == "new" for each in noted):
        rows.execute(_BEYOND, (0, most))
        rows.execute(_BEYOND, (1, MOST_RESOLVED))
    return noted


def _count(rows: "sqlite3.Connection", seen: Occurrence) -> Noted:
    query = "SELECT resolved, reopened FROM error_investigations WHERE error_hash = ?"
    before = rows.execute(query, (seen.error_hash,)).fetchone()
    rows.execute(_COUNT, _values(seen))
    if seen.calls:
        rows.executemany(_SEEN_IN, [(seen.id, call, seen.last_at) for call in seen.calls])
        rows.execute(_CALLS_BEYOND, (seen.id, MOST_CALLS))
    after = rows.execute(query, (seen.error_hash,)).fetchone()
    change: Change = "new" if before is None else "counted"
    if before is not None and after[1] > before[1]:
        change = "reopened"
    return Noted(id=seen.id, change=change, kind=seen.kind, message=seen.message)


def _values(seen: Occurrence) -> dict[str, object]:
    return {
        "id": seen.id,
        "hash": seen.error_hash,
        "message": seen.message,
        "type": seen.error_type,
        "context": _json(seen.context),
        "first": seen.first_at,
        "last": seen.last_at,
        "count": seen.count,
        "kind": seen.kind,
        "severity": seen.severity,
        "version": seen.version,
        "order": version_order(seen.version),
    }


def read_incidents(
    rows: "sqlite3.Connection", query: str, given: dict[str, object]
) -> tuple[Incident, ...]:
    found = rows.execute(query, given)
    names = [name for name, *_ in found.description]
    return tuple(_incident(dict(zip(names, row, strict=True))) for row in found)


_SAME: Final = [
    "id",
    "error_hash",
    "kind",
    "severity",
    "error_type",
    "version",
    "state",
    "occurrence_count",
    "created_at",
    "last_occurrence_at",
    "reopened",
    "resolution_notes",
    "resolved_at",
    "resolved_by",
    "resolved_in",
    "attempts",
    "lease_until",
    "model_used",
    "tokens",
    "cost",
]


def _incident(row: dict[str, Any]) -> Incident:
    return Incident(
        message=row["error_message"],
        context=json.loads(row["error_context"]),
        result=_parsed(row["investigation_result"]),
        fix=_parsed(row["fix_recommendation"]),
        duration_ms=row["investigation_duration_ms"],
        resolved=bool(row["resolved"]),
        requested=bool(row["requested"]),
        **_taken(row, _SAME),
    )


def _taken(row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _parsed(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True)
