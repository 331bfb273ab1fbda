"""How models count tokens, kept for the next daemon: one over the SQLite store, one that forgets.

Both pass the same contract tests.
"""

from typing import TYPE_CHECKING, Final

import attrs
import trio

from exai_trio import structs

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

MOST: Final = 256  # models; the ones that changed last stay


@structs.frozen
class SqliteRatios:
    """TokenRatios in the file of an open store."""

    _store: "SqliteStore"

    async def all(self) -> dict[str, float]:
        return await self._store.read(_all)

    async def keep(self, model: str, ratio: float, now: float) -> None:
        await self._store.write(lambda connection: _keep(connection, model, ratio, now))


def _all(connection: "sqlite3.Connection") -> dict[str, float]:
    return dict(connection.execute("SELECT model, ratio FROM token_ratios ORDER BY at, rowid"))


def _keep(connection: "sqlite3.Connection", model: str, ratio: float, now: float) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO token_ratios (model, ratio, at) VALUES (?, ?, ?)",
        (model, ratio, now),
    )
    connection.execute(
        "DELETE FROM token_ratios WHERE rowid NOT IN"
        " (SELECT rowid FROM token_ratios ORDER BY at DESC, rowid DESC LIMIT ?)",
        (MOST,),
    )


@structs.define
class MemoryRatios:
    """TokenRatios that are forgotten."""

    _ratios: dict[str, tuple[float, float]] = attrs.field(factory=dict[str, tuple[float, float]])

    async def all(self) -> dict[str, float]:
        await trio.lowlevel.checkpoint()
        return {model: ratio for model, (_, ratio) in self._in_order()}

    async def keep(self, model: str, ratio: float, now: float) -> None:
        await trio.lowlevel.checkpoint()
        self._ratios.pop(model, None)
        self._ratios[model] = (now, ratio)
        self._ratios = dict(self._in_order()[-MOST:])

    def _in_order(self) -> list[tuple[str, tuple[float, float]]]:
        return sorted(self._ratios.items(), key=lambda item: item[1][0])
