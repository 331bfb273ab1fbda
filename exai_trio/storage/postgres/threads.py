"""Conversations in PostgreSQL as a person looks after them."""

from typing import Final

import attrs

from exai_trio import structs
from exai_trio.principals import OWNER
from exai_trio.storage.base import Summary
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.trio_connection import DataRefused

_NAME_IS_TAKEN: Final = "23505"
_THERE: Final = "c.principal = %s and c.deleted_at is null and c.expires_at > to_timestamp(%s)"
_FIND: Final = f"select c.id from public.conversations as c where {_THERE} and "  # noqa: S608  # our own words
_RECENT: Final = f"""
    select c.id, coalesce(c.name, ''), extract(epoch from c.created_at)::double precision,
        extract(epoch from c.expires_at)::double precision,
        (select count(*) from public.messages as m where m.conversation_id = c.id),
        coalesce(last.metadata->>'tool_name', step.tool, ''),
        coalesce((select m.metadata->>'model_used' from public.messages as m
            where m.conversation_id = c.id and m.metadata ? 'model_used' order by m.number desc limit 1), ''),
        coalesce((select left(m.content, 200) from public.messages as m
            where m.conversation_id = c.id and m.role = 'user' order by m.number limit 1), ''),
        extract(epoch from greatest(c.created_at, last.created_at, step.created_at))::double precision as last_at
    from public.conversations as c
    left join lateral (select metadata, created_at from public.messages
        where conversation_id = c.id order by number desc limit 1) as last on true
    left join lateral (select tool, created_at from public.workflow_steps
        where conversation_id = c.id order by number desc limit 1) as step on true
    where {_THERE} order by last_at desc, c.id limit %s
"""  # noqa: S608  # as above
_FORK: Final = f"""
    with copied as (
        insert into public.conversations (id, principal, created_at, expires_at)
        select %s, c.principal, to_timestamp(%s), to_timestamp(%s) from public.conversations as c where c.id = %s and {_THERE}
        returning id
    ), turns as (
        insert into public.messages (conversation_id, number, role, content, metadata, created_at)
        select copied.id, number, role, content, metadata, created_at from public.messages, copied where conversation_id = %s
    ), steps as (
        insert into public.workflow_steps (conversation_id, number, tool, data, created_at)
        select copied.id, number, tool, data, created_at from public.workflow_steps, copied where conversation_id = %s
    )
    select id from copied
"""  # noqa: S608  # as above
_FREE_NAME: Final = """
    update public.conversations set name = null
    where principal = %s and name = %s and id <> %s and (expires_at <= to_timestamp(%s) or deleted_at is not null)
"""
_NAME: Final = f"update public.conversations as c set name = nullif(%s, '') where c.id = %s and {_THERE} returning c.id"  # noqa: S608  # as above


@structs.frozen
class PostgresThreads:
    """Threads of one principal."""

    database: Database
    principal: str = OWNER

    def of(self, principal: str) -> "PostgresThreads":
        return attrs.evolve(self, principal=principal)

    async def recent(self, now: float, most: int | None = None) -> tuple[Summary, ...]:
        rows = await self.database.ask(_RECENT, *self._whose(now), most)
        return tuple(_summary(row, self.database.ahead_s) for row in rows)

    async def find(self, wanted: str, now: float) -> tuple[str, ...]:
        whose = self._whose(now)
        for condition in ("c.id = %s", "c.name = %s", "starts_with(c.id, %s)"):
            found = await self.database.ask(f"{_FIND}{condition} order by c.id", *whose, wanted)
            if found:
                return tuple(each for (each,) in found)
        return ()

    async def named(self, name: str, now: float) -> str | None:
        rows = await self.database.ask(f"{_FIND}c.name = %s", *self._whose(now), name)
        return rows[0][0] if rows else None

    async def name(self, continuation_id: str, name: str, now: float) -> bool:
        principal, at = self._whose(now)
        await self.database.ask(_FREE_NAME, principal, name, continuation_id, at)
        try:
            rows = await self.database.ask(_NAME, name, continuation_id, principal, at)
        except DataRefused as fault:
            if fault.details.get("sqlstate") == _NAME_IS_TAKEN:
                return False
            raise
        return bool(rows)

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> bool:
        whose, ahead_s = self._whose(now), self.database.ahead_s
        copied = (new_id, now - ahead_s, expires_at - ahead_s, continuation_id)
        return bool(
            await self.database.ask(_FORK, *copied, *whose, continuation_id, continuation_id)
        )

    async def delete(self, continuation_id: str, now: float) -> bool:
        rows = await self.database.ask(
            "delete from public.conversations as c where c.id = %s and c.principal = %s"
            " returning c.expires_at > to_timestamp(%s) and c.deleted_at is null",
            continuation_id,
            *self._whose(now),
        )
        return bool(rows and rows[0][0])

    def _whose(self, now: float) -> tuple[str, float]:
        return self.principal, now - self.database.ahead_s


def _summary(row: tuple[object, ...], ahead_s: float) -> Summary:
    found = Summary(**dict(zip(_COLUMNS, row, strict=True)))  # type: ignore[arg-type]
    return attrs.evolve(
        found,
        created_at=found.created_at + ahead_s,
        expires_at=found.expires_at + ahead_s,
        last_at=found.last_at + ahead_s,
    )


_COLUMNS: Final = tuple(field.name for field in attrs.fields(Summary))
