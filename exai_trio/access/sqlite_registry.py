"""The registry of tokens in the database of the home."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from exai_trio import structs

from .token_registry import Changes, IssuedToken, Quota, Standing

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

T = TypeVar("T")

# A row is an entry's columns in the order of the table, and the number of its last change.
_ALL: Final = "SELECT * FROM access_tokens ORDER BY issued_at, id"
_BY_ID: Final = "SELECT * FROM access_tokens WHERE id = ?"
_CHANGED: Final = "SELECT * FROM access_tokens WHERE change > ? ORDER BY change"
_ADD: Final = "INSERT INTO access_tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REVOKE: Final = (
    "UPDATE access_tokens SET revoked_at = ?, change = ? WHERE id = ? AND revoked_at IS NULL"
)
_REVOKE_ALL: Final = """
    UPDATE access_tokens SET revoked_at = :at, change = :change
    WHERE subject = :subject AND revoked_at IS NULL AND ends > :at
"""
_REVOKE_SUBJECT: Final = """
    INSERT INTO access_subjects VALUES (:subject, :at, :until, :change)
    ON CONFLICT (subject) DO UPDATE SET
    revoked_at = excluded.revoked_at, ends = excluded.ends, change = excluded.change
"""
_SET_QUOTA: Final = """
    UPDATE access_tokens SET calls_per_minute = ?, concurrent = ?, tokens_per_day = ?, change = ? WHERE id = ?
"""
_FIELDS: Final = (
    "id", "subject", "role", "scope", "key_id", "issued_at", "ends", "revoked_at", "used_at", "used_from",
)  # fmt: skip
_CUTS: Final = "SELECT subject, revoked_at FROM access_subjects WHERE change > ?"


class Database(Protocol):
    """An open file: what is written is there when `write` returns."""

    async def read(self, work: "Callable[[Connection], T]", /) -> T: ...

    async def read_by_key(self, work: "Callable[[Connection], T]", /) -> T:
        """`read` for a row or two that are found by their keys. Cancelling leaves nothing behind."""
        ...

    async def write(self, work: "Callable[[Connection], T]", /) -> T: ...


@structs.frozen
class SqliteRegistry:
    """TokenRegistry in an open database."""

    _database: Database

    async def add(self, token: IssuedToken) -> None:
        await self._database.write(lambda connection: _add(connection, token))

    async def look_up(self, token_id: str, subject: str) -> Standing:
        return await self._database.read_by_key(
            lambda connection: _look_up(connection, token_id, subject)
        )

    async def all(self) -> tuple[IssuedToken, ...]:
        return await self._database.read(lambda connection: _tokens(connection, _ALL))

    async def revoke(self, token_id: str, at: float) -> bool:
        return await self._database.write(lambda connection: _revoke(connection, token_id, at))

    async def revoke_all(self, subject: str, at: float, until: float) -> int:
        return await self._database.write(
            lambda connection: _revoke_all(connection, subject, at, until)
        )

    async def set_quota(self, token_id: str, quota: Quota) -> bool:
        return await self._database.write(
            lambda connection: _set_quota(connection, token_id, quota)
        )

    async def note_uses(self, uses: Mapping[str, tuple[float, str]]) -> None:
        rows = [(at, origin, token_id) for token_id, (at, origin) in uses.items()]
        await self._database.write(lambda connection: _note_uses(connection, rows))

    async def changes(self, since: int) -> Changes:
        return await self._database.read(lambda connection: _changes(connection, since))

    async def sweep(self, before: float) -> int:
        return await self._database.write(lambda connection: _sweep(connection, before))


def _add(connection: "Connection", token: IssuedToken) -> None:
    quota = token.quota
    row = (
        token.id, token.subject, token.role, token.scope, token.key_id, token.issued_at, token.ends, token.revoked_at,
        token.used_at, token.used_from, quota.calls_per_minute, quota.concurrent, quota.tokens_per_day,
    )  # fmt: skip
    connection.execute(_ADD, (*row, _next_change(connection)))


def _next_change(connection: "Connection") -> int:
    found = connection.execute("UPDATE access_change SET number = number + 1 RETURNING number")
    number: int = found.fetchone()[0]
    return number


def _look_up(connection: "Connection", token_id: str, subject: str) -> Standing:
    found = _tokens(connection, _BY_ID, token_id)
    cut = connection.execute(
        "SELECT revoked_at FROM access_subjects WHERE subject = ?", (subject,)
    ).fetchone()
    return Standing(found[0] if found else None, cut[0] if cut else None)


def _tokens(connection: "Connection", query: str, *values: object) -> tuple[IssuedToken, ...]:
    return tuple(_token(row) for row in connection.execute(query, values).fetchall())


def _token(row: tuple[Any, ...]) -> IssuedToken:
    rate, concurrent, tokens = row[10:13]
    return IssuedToken(
        **dict(zip(_FIELDS, row, strict=False)),
        quota=Quota(calls_per_minute=rate, concurrent=concurrent, tokens_per_day=tokens),
    )


def _revoke(connection: "Connection", token_id: str, at: float) -> bool:
    change = _next_change(connection)
    return connection.execute(_REVOKE, (at, change, token_id)).rowcount > 0


def _revoke_all(connection: "Connection", subject: str, at: float, until: float) -> int:
    values = {"subject": subject, "at": at, "until": until, "change": _next_change(connection)}
    revoked = connection.execute(_REVOKE_ALL, values).rowcount
    connection.execute(_REVOKE_SUBJECT, values)
    return revoked


def _set_quota(connection: "Connection", token_id: str, quota: Quota) -> bool:
    limits = (quota.calls_per_minute, quota.concurrent, quota.tokens_per_day)
    values = (*limits, _next_change(connection), token_id)
    return connection.execute(_SET_QUOTA, values).rowcount > 0


def _note_uses(connection: "Connection", rows: list[tuple[float, str, str]]) -> None:
    connection.executemany("UPDATE access_tokens SET used_at = ?, used_from = ? WHERE id = ?", rows)


def _changes(connection: "Connection", since: int) -> Changes:
    (number,) = connection.execute("SELECT number FROM access_change").fetchone()
    if number <= since:
        return Changes(number=number)
    cuts = dict(connection.execute(_CUTS, (since,)).fetchall())
    return Changes(number=number, tokens=_tokens(connection, _CHANGED, since), subjects=cuts)


def _sweep(connection: "Connection", before: float) -> int:
    gone = connection.execute("DELETE FROM access_tokens WHERE ends < ?", (before,)).rowcount
    return (
        gone + connection.execute("DELETE FROM access_subjects WHERE ends < ?", (before,)).rowcount
    )
