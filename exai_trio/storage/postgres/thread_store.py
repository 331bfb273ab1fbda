"""Conversations in PostgreSQL as a person looks after them, by the functions that its schema has for them."""

from typing import Any, Final

import attrs

from exai_trio import structs
from exai_trio.principals import OWNER
from exai_trio.storage.base import Summary
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.trio_connection import Row

_COLUMNS: Final = tuple(field.name for field in attrs.fields(Summary))


@structs.frozen
class PostgresThreads:
    """Threads of one principal."""

    database: Database
    principal: str = OWNER

    def of(self, principal: str) -> "PostgresThreads":
        return attrs.evolve(self, principal=principal)

    async def recent(self, now: float, most: int | None = None) -> tuple[Summary, ...]:
        statement = "select * from public.exai_recent(%s, %s, %s)"
        rows = await self.database.ask(statement, self.principal, self._there(now), most)
        return tuple(_summary(row, self.database.ahead_s) for row in rows)

    async def find(self, wanted: str, now: float) -> tuple[str, ...]:
        statement = "select public.exai_find(%s, %s, %s)"
        rows = await self.database.ask(statement, self.principal, wanted, self._there(now))
        return tuple(found for (found,) in rows)

    async def named(self, name: str, now: float) -> str | None:
        found: str | None = await self._one("exai_named(%s, %s, %s)", name, self._there(now))
        return found

    async def name(self, continuation_id: str, name: str, now: float) -> bool:
        given = (continuation_id, name, self._there(now))
        return bool(await self._one("exai_rename(%s, %s, %s, %s)", *given))

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> bool:
        given = (continuation_id, new_id, self._there(now), self._there(expires_at))
        return bool(await self._one("exai_fork(%s, %s, %s, %s, %s)", *given))

    async def delete(self, continuation_id: str, now: float) -> bool:
        return bool(await self._one("exai_remove(%s, %s, %s)", continuation_id, self._there(now)))

    async def _one(self, call: str, *given: Any) -> Any:
        """What a function gives for this principal."""
        ((found,),) = await self.database.ask(f"select public.{call}", self.principal, *given)
        return found

    def _there(self, at: float) -> float:
        """That time by the database's clock."""
        return at - self.database.ahead_s


def _summary(row: Row, ahead_s: float) -> Summary:
    found = Summary(**dict(zip(_COLUMNS, row, strict=True)))
    return attrs.evolve(
        found,
        created_at=found.created_at + ahead_s,
        expires_at=found.expires_at + ahead_s,
        last_at=found.last_at + ahead_s,
    )
