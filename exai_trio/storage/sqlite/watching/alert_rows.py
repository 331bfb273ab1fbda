"""Alerts in the SQLite file: a row for each that fires, and for each name that is silenced."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exai_trio import structs
from exai_trio.storage.watching.alert_records import FiringAlert, KeptAlerts

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.uploads.upload_store import Database


@structs.frozen
class SqliteAlerts:
    """AlertStore in the file of an open store."""

    _store: "Database"

    async def kept(self, now: float) -> KeptAlerts:
        return await self._store.read(lambda rows: _kept(rows, now))

    async def move(self, firing: Sequence[FiringAlert], cleared: Sequence[tuple[str, str]]) -> None:
        await self._store.write(lambda rows: _move(rows, firing, cleared))

    async def silence(self, name: str, until: float, by: str) -> None:
        statement = "INSERT OR REPLACE INTO alert_silences (name, until, by) VALUES (?, ?, ?)"
        await self._store.write(lambda rows: _done(rows, statement, (name, until, by)))


def _done(rows: "sqlite3.Connection", statement: str, given: tuple[object, ...]) -> None:
    rows.execute(statement, given)


def _kept(rows: "sqlite3.Connection", now: float) -> KeptAlerts:
    query = (
        "SELECT name, subject, severity, text, since FROM alerts ORDER BY since DESC, name, subject"
    )
    firing = tuple(
        FiringAlert(name=name, subject=subject, severity=severity, text=text, since=since)
        for name, subject, severity, text, since in rows.execute(query)
    )
    silenced = rows.execute("SELECT name, until FROM alert_silences WHERE until > ?", (now,))
    return KeptAlerts(firing=firing, silenced=dict(silenced.fetchall()))


def _move(
    rows: "sqlite3.Connection", firing: Sequence[FiringAlert], cleared: Sequence[tuple[str, str]]
) -> None:
    rows.executemany("DELETE FROM alerts WHERE name = ? AND subject = ?", cleared)
    rows.executemany(
        "INSERT OR REPLACE INTO alerts (name, subject, severity, text, since) VALUES (?, ?, ?, ?, ?)",
        [(each.name, each.subject, each.severity, each.text, each.since) for each in firing],
    )
