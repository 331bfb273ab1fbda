"""The history of figures and usage in the SQLite file."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import ceil
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import attrs

from exai_trio import structs
from exai_trio.observability.meters.packed import added, pack, unpack
from exai_trio.observability.meters.readings import Snapshot
from exai_trio.storage.watching.metric_history import (
    MOST_POINTS,
    STEPS_KEPT,
    USAGE_KEPT_S,
    Point,
    Used,
)

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.uploads.upload_store import Database

_HOUR_S: Final = 3600
_FINEST: Final = min(STEPS_KEPT)
_NAMES: Final = tuple(field.name for field in attrs.fields(Used))
_values: Final = attrgetter(*_NAMES)
# What was never counted stays unknown.
_ADD: Final = """
    INSERT INTO usage_hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (hour, principal, project, tool, model, currency) DO UPDATE SET
        calls = calls + excluded.calls,
        failures = failures + excluded.failures,
        input_tokens = coalesce(input_tokens + excluded.input_tokens, input_tokens, excluded.input_tokens),
        cached_tokens = coalesce(cached_tokens + excluded.cached_tokens, cached_tokens, excluded.cached_tokens),
        output_tokens = coalesce(output_tokens + excluded.output_tokens, output_tokens, excluded.output_tokens),
        reasoning_tokens = coalesce(reasoning_tokens + excluded.reasoning_tokens, reasoning_tokens, excluded.reasoning_tokens),
        cost = coalesce(cost + excluded.cost, cost, excluded.cost),
        unpriced = unpriced + excluded.unpriced
"""  # in the order of the fields
_USAGE: Final = "SELECT * FROM usage_hours WHERE hour > ? ORDER BY hour"
_READ_FOR_A_POINT: Final = 4  # steps: more would be long in unpacking
_BEGIN: Final = "INSERT INTO metric_points (step, at, boot, packed) VALUES (?, ?, ?, ?)"


@structs.frozen
class SqliteHistory:
    """MetricHistory in an open file. What is packed is packed in the file's threads."""

    _database: "Database"

    async def begin_step(self, at: float, boot: str, said: Snapshot) -> int:
        return await self._database.write(lambda file: _begin(file, _FINEST, at, boot, said))

    async def go_on(self, number: int, said: Snapshot) -> None:
        await self._database.write(lambda file: _go_on(file, number, said))

    async def fold(self, now: float) -> None:
        await self._database.write(lambda file: _fold(file, now))

    async def points(
        self, since: float, until: float, names: Sequence[str] = (), most: int = MOST_POINTS
    ) -> tuple[Point, ...]:
        return await self._database.read(
            lambda file: tuple(_points(file, since, until, names, most))
        )

    async def add_usage(self, rows: Sequence[Used]) -> None:
        await self._database.write(lambda file: _add_usage(file, rows))

    async def usage(self, since: float) -> tuple[Used, ...]:
        return await self._database.read(lambda file: read_usage(file, since))

    async def sweep(self, now: float) -> int:
        return await self._database.write(lambda file: _sweep(file, now))


def _begin(file: "sqlite3.Connection", step: int, at: float, boot: str, said: Snapshot) -> int:
    return file.execute(_BEGIN, (step, at, boot, pack(said))).lastrowid or 0


def _go_on(file: "sqlite3.Connection", number: int, said: Snapshot) -> None:
    file.execute("UPDATE metric_points SET packed = ? WHERE number = ?", (pack(said), number))


def _fold(file: "sqlite3.Connection", now: float) -> None:
    for finer, longer in zip(STEPS_KEPT, list(STEPS_KEPT)[1:], strict=False):
        # Not what a clock that was ahead has left behind.
        query = "SELECT max(at) FROM metric_points WHERE step = ? AND at <= ?"
        (last,) = file.execute(query, (longer, now)).fetchone()
        begin = 0 if last is None else last + longer
        rows = _rows(file, finer, begin, now // longer * longer)
        for at, group in groupby(rows, key=lambda row: row[0] // longer * longer):
            steps = list(group)
            _begin(file, longer, at, steps[-1][1], added(unpack(packed) for _, _, packed in steps))


def _rows(
    file: "sqlite3.Connection", step: int, since: float, until: float
) -> list[tuple[float, str, bytes]]:
    query = "SELECT at, boot, packed FROM metric_points WHERE step = ? AND at >= ? AND at < ? ORDER BY at, number"
    return file.execute(query, (step, since, until)).fetchall()


def _points(
    file: "sqlite3.Connection", since: float, until: float, names: Sequence[str], most: int
) -> Iterator[Point]:
    """Of the finest steps that reach back so far and are not too many to be read."""
    whole = max(until - since, _FINEST)
    steps = [step for step in STEPS_KEPT if whole / step <= most * _READ_FOR_A_POINT]
    step = min(steps, default=max(STEPS_KEPT))
    width = max(1, ceil(whole / most / step)) * step
    rows = _rows_with_tail(file, step, since, until)
    for at, group in groupby(rows, key=lambda row: row[0] // width * width):
        yield Point(at, width, added(unpack(packed, names) for _, _, packed in group))


def _rows_with_tail(
    file: "sqlite3.Connection", step: int, since: float, until: float
) -> list[tuple[float, str, bytes]]:
    """Steps of this length, and shorter ones for the time that is not folded yet."""
    found: list[tuple[float, str, bytes]] = []
    for length in (each for each in reversed(STEPS_KEPT) if each <= step):
        more = _rows(file, length, since, until)
        found += more
        since = more[-1][0] + length if more else since
    return found


def _add_usage(file: "sqlite3.Connection", rows: Sequence[Used]) -> None:
    file.executemany(_ADD, [_values(row) for row in rows])


def read_usage(file: "sqlite3.Connection", since: float) -> tuple[Used, ...]:
    """Blocking, for whoever has a connection of its own."""
    found: list[tuple[Any, ...]] = file.execute(_USAGE, (since - _HOUR_S,)).fetchall()
    return tuple(Used(**dict(zip(_NAMES, row, strict=True))) for row in found)


def _sweep(file: "sqlite3.Connection", now: float) -> int:
    gone = file.execute("DELETE FROM usage_hours WHERE hour < ?", (now - USAGE_KEPT_S,)).rowcount
    for step, kept in STEPS_KEPT.items():
        query = "DELETE FROM metric_points WHERE step = ? AND at < ?"
        gone += file.execute(query, (step, now - kept)).rowcount
    return gone
