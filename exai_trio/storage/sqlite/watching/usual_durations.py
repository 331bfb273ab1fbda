"""How long the calls of each tool usually take, from those that are kept in the SQLite file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from exai_trio import structs

if TYPE_CHECKING:
    from exai_trio.storage.sqlite.uploads.upload_store import Database

_FEWEST: Final = 30  # fewer say nothing
_MS: Final = 1000.0
# The newest ones are enough: a look takes some 50 ms of the reader's thread.
_QUERY: Final = """
    WITH lately AS (SELECT tool, duration_ms FROM calls WHERE started_at >= ? ORDER BY number DESC LIMIT 20000),
    ranked AS (
        SELECT tool, duration_ms, row_number() OVER (PARTITION BY tool ORDER BY duration_ms) AS place,
            count(*) OVER (PARTITION BY tool) AS calls
        FROM lately
    )
    SELECT tool, min(duration_ms) FROM ranked WHERE calls >= ? AND place >= 0.95 * calls GROUP BY tool
"""


@structs.frozen
class SqliteUsualDurations:
    """UsualDurations in the file of an open store."""

    _store: "Database"

    async def p95_s(self, since: float) -> Mapping[str, float]:
        found = await self._store.read(
            lambda rows: rows.execute(_QUERY, (since, _FEWEST)).fetchall()
        )
        return {tool: duration_ms / _MS for tool, duration_ms in found}
