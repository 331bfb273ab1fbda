"""The ended calls in the SQLite file: a row each."""

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import attrs

from exai_trio import structs
from exai_trio.observability.events import CallEnded
from exai_trio.storage.ended_calls import MOST_KEPT

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

_HOUR_S: Final = 3600
_COLUMNS: Final = tuple(
    field.name
    for field in attrs.fields(CallEnded)
    if field.name not in {"journal_wait_ms", "spans"}
)
_values: Final = attrgetter(*_COLUMNS)
_ADD: Final = """
    INSERT INTO calls (
        id, correlation_id, session, tool, principal, project, provider, model, code, category, attempt, started_at,
        duration_ms, permit_wait_ms, provider_wait_ms, with_provider_ms, first_chunk_ms, requests,
        input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, currency, hour
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # in the order of the fields
_NOT_OF_THE_CALL: Final = frozenset({"number", "hour"})


@structs.frozen
class SqliteCalls:
    """EndedCalls in the file of an open store."""

    _store: "SqliteStore"
    _most: int = MOST_KEPT

    async def add(self, calls: Sequence[CallEnded]) -> None:
        rows = [_row(call) for call in calls]
        await self._store.write(lambda connection: _add(connection, rows))

    async def since(self, at: float) -> tuple[CallEnded, ...]:
        return await self._store.read(lambda connection: read(connection, at))

    async def sweep(self, before: float | None) -> int:
        return await self._store.write(lambda connection: _sweep(connection, before, self._most))


def _row(call: CallEnded) -> tuple[Any, ...]:
    return (*_values(call), int(call.started_at // _HOUR_S) * _HOUR_S)


def _add(connection: "sqlite3.Connection", rows: list[tuple[Any, ...]]) -> None:
    connection.executemany(_ADD, rows)


def read(connection: "sqlite3.Connection", since: float) -> tuple[CallEnded, ...]:
    """Blocking, for whoever has a connection of its own."""
    query = "SELECT * FROM calls WHERE started_at >= ? ORDER BY number"
    found = connection.execute(query, (since,))
    names = [name for name, *_ in found.description]
    rows = (zip(names, row, strict=True) for row in found)
    return tuple(
        CallEnded(**{name: value for name, value in row if name not in _NOT_OF_THE_CALL})
        for row in rows
    )


def _sweep(connection: "sqlite3.Connection", before: float | None, most: int) -> int:
    gone = 0
    if before is not None:
        gone += connection.execute("DELETE FROM calls WHERE started_at < ?", (before,)).rowcount
    newest = "SELECT number FROM calls ORDER BY number DESC LIMIT 1 OFFSET ?"
    found = connection.execute(newest, (most,)).fetchone()
    if found is not None:
        gone += connection.execute("DELETE FROM calls WHERE number <= ?", found).rowcount
    return gone
