"""Logins of pages as they outlive a daemon, in the database of the home: hashes alone, so that what is kept opens nothing."""

from typing import TYPE_CHECKING, Final, Protocol

from exai_trio import structs

from .sqlite_registry import Database

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

_ALL: Final = "SELECT hash, principal, proof, claims, ends FROM page_logins WHERE ends > ? ORDER BY ends, hash"
_ADD: Final = "INSERT OR REPLACE INTO page_logins (hash, principal, proof, claims, ends) VALUES (?, ?, ?, ?, ?)"
_OVER: Final = "DELETE FROM page_logins WHERE ends <= ?"
_BEYOND: Final = "DELETE FROM page_logins WHERE hash IN (SELECT hash FROM page_logins ORDER BY ends DESC LIMIT -1 OFFSET ?)"
MOST: Final = 1_000


@structs.frozen(kw_only=True)
class KeptLogin:
    """`hash` is of the session's token. `proof` is keyed by that token, over what the login began with, "" where that was nothing; `claims` are
    a JWT's, as JSON, "" for another login. `ends` is unix seconds."""

    hash: str
    principal: str
    proof: str
    claims: str
    ends: float


class LoginStore(Protocol):
    """Raises StorageError; cancelling leaves a change done or not done."""

    async def all(self, now: float) -> tuple[KeptLogin, ...]:
        """Those that are not over."""
        ...

    async def add(self, login: KeptLogin, now: float) -> None:
        """Those that are over go, and the oldest beyond MOST."""
        ...

    async def remove(self, hashed: str) -> None: ...


@structs.frozen
class SqliteLogins:
    """LoginStore in an open database."""

    _database: Database

    async def all(self, now: float) -> tuple[KeptLogin, ...]:
        return await self._database.read(lambda rows: _all(rows, now))

    async def add(self, login: KeptLogin, now: float) -> None:
        await self._database.write(lambda rows: _add(rows, login, now))

    async def remove(self, hashed: str) -> None:
        statement = "DELETE FROM page_logins WHERE hash = ?"
        await self._database.write(lambda rows: rows.execute(statement, (hashed,)).rowcount)


def _all(rows: "Connection", now: float) -> tuple[KeptLogin, ...]:
    names = ("hash", "principal", "proof", "claims", "ends")
    found = rows.execute(_ALL, (now,)).fetchall()
    return tuple(KeptLogin(**dict(zip(names, row, strict=True))) for row in found)


def _add(rows: "Connection", login: KeptLogin, now: float) -> None:
    rows.execute(_OVER, (now,))
    rows.execute(_ADD, (login.hash, login.principal, login.proof, login.claims, login.ends))
    rows.execute(_BEYOND, (MOST,))
