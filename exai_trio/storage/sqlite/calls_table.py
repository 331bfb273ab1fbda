"""The ended calls in the SQLite file: a row each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import astuple

from exai_trio import structs
from exai_trio.observability.events import CallEnded
from exai_trio.storage.call_pages import CallFilter, CallsAt, NumberedCall
from exai_trio.storage.ended_calls import MOST_KEPT
from exai_trio.storage.sqlite import call_rows
from exai_trio.storage.sqlite.batches import insert_many

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

_HOUR_S: Final = 3600
_ADD: Final = f"INSERT INTO calls ({', '.join(CallEnded.__struct_fields__)}, hour)"
_TOKENS: Final = """
    SELECT principal, sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) FROM calls
    WHERE started_at >= ? GROUP BY principal
"""


@structs.frozen
class SqliteCalls:
    """EndedCalls in the file of an open store."""

    _store: "SqliteStore"
    _most: int = MOST_KEPT

    async def add(self, calls: Sequence[CallEnded]) -> None:
        await self._store.write(lambda connection: _add(connection, calls))

    async def since(self, at: float) -> tuple[CallEnded, ...]:
        return await self._store.read(lambda connection: read(connection, at))

    async def tokens_since(self, at: float) -> dict[str, int]:
        return await self._store.read(lambda connection: dict(connection.execute(_TOKENS, (at,))))

    async def page(
        self, wanted: CallFilter, before: int | None, most: int
    ) -> tuple[NumberedCall, ...]:
        return await self._store.read(
            lambda connection: call_rows.read_page(connection, wanted, before, most)
        )

    async def find(self, call_id: str) -> NumberedCall | None:
        return await self._store.read(lambda connection: call_rows.read_one(connection, call_id))

    async def series(
        self, since: float, step_s: float, provider: str | None
    ) -> tuple[CallsAt, ...]:
        return await self._store.read(
            lambda connection: call_rows.read_series(connection, since, step_s, provider)
        )

    async def sweep(self, before: float | None) -> int:
        return await self._store.write(lambda connection: _sweep(connection, before, self._most))


def _row(call: CallEnded) -> tuple[Any, ...]:
    written = call_rows.encode_spans(call.spans) if call.spans else ""
    hour = int(call.started_at // _HOUR_S) * _HOUR_S
    return (*astuple(call)[:-1], written, hour)


def _add(connection: "sqlite3.Connection", calls: Sequence[CallEnded]) -> None:
    insert_many(connection, _ADD, [*map(_row, calls)])


def read(connection: "sqlite3.Connection", since: float) -> tuple[CallEnded, ...]:
    """Blocking, for whoever has a connection of its own."""
    query = "SELECT * FROM calls WHERE started_at >= ? ORDER BY number"
    return tuple(each.call for each in call_rows.calls_of(connection.execute(query, (since,))))


def _sweep(connection: "sqlite3.Connection", before: float | None, most: int) -> int:
    gone = 0
    if before is not None:
        gone += connection.execute("DELETE FROM calls WHERE started_at < ?", (before,)).rowcount
    newest = "SELECT number FROM calls ORDER BY number DESC LIMIT 1 OFFSET ?"
    found = connection.execute(newest, (most,)).fetchone()
    if found is not None:
        gone += connection.execute("DELETE FROM calls WHERE number <= ?", found).rowcount
    return gone
