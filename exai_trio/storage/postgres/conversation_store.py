"""Conversations and workflow steps in PostgreSQL, by the functions that its schema has for them."""

from typing import Any, Final, Literal

import attrs
import msgspec

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.principals import OWNER
from exai_trio.storage.base import SWEEP_GRACE_S, Conversation, Conversations, Step, Turn
from exai_trio.storage.hosted.outbox_entries import PAGE_LENGTH, as_text, message, turn_of
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.trio_connection import DataRefused
from exai_trio.storage.sqlite.statements import ANOTHERS

_ANOTHERS_CODE: Final = "23514"
_NEWEST: Final = """
    select extract(epoch from greatest((select max(created_at) from public.conversations),
        (select max(created_at) from public.messages), (select max(created_at) from public.workflow_steps)))::double precision
"""
_TAIL: Final = "select public.exai_tail(%s, %s, %s, %s)"


class _Page(msgspec.Struct):
    """What `exai_tail` returns: a conversation, and what it has beyond two numbers."""

    principal: str
    created_at: float
    expires_at: float
    messages: list[tuple[int, Literal["user", "assistant"], str, dict[str, Any], str | None, float]]
    steps: list[tuple[int, str, dict[str, Any], str | None, float]]

    @property
    def is_full(self) -> bool:
        return PAGE_LENGTH in {len(self.messages), len(self.steps)}


@structs.frozen
class PostgresConversations(Conversations):
    """The store of one principal; `of` gives another's. Which time was right is noted on this machine, in `clock`."""

    database: Database
    clock: Conversations
    principal: str = OWNER

    def of(self, principal: str) -> "PostgresConversations":
        return attrs.evolve(self, principal=principal)

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        pages = await self._pages(continuation_id, now)
        if not pages:
            return None
        ahead_s = self.database.ahead_s
        turns = (
            turn_of(role, content, metadata, key or "", at + ahead_s)
            for page in pages
            for _, role, content, metadata, key, at in page.messages
        )
        created_at, expires_at = pages[-1].created_at + ahead_s, pages[-1].expires_at + ahead_s
        return Conversation(
            id=continuation_id, created_at=created_at, expires_at=expires_at, turns=tuple(turns)
        )

    async def append(
        self,
        continuation_id: str,
        turns: tuple[Turn, ...],
        now: float,
        expires_at: float,
        step: Step | None = None,
    ) -> int:
        times = (now, expires_at)
        more = {"messages": [message(turn) for turn in turns]}
        count = await self._added("exai_append", continuation_id, times, more)
        if step is not None:
            await self._added("exai_add_step", continuation_id, times, _step_row(step))
        return count

    async def kept_under(self, keys: tuple[str, ...], now: float) -> str | None:
        at = now - self.database.ahead_s
        named = msgspec.json.encode(keys).decode()
        rows = await self.database.ask(
            "select public.exai_kept_under(%s, %s::jsonb, %s)", self.principal, named, at
        )
        found: str | None = rows[0][0]
        return found

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        ahead_s = self.database.ahead_s
        return tuple(
            Step(tool=tool, at=at + ahead_s, data=data, key=key or "")
            for page in await self._pages(continuation_id, now)
            for _, tool, data, key, at in page.steps
        )

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        times = (now, expires_at)
        number = await self._added("exai_add_step", continuation_id, times, _step_row(step))
        return (await self.steps(continuation_id, now))[:number]

    async def sweep(self, now: float) -> int:
        at = now - self.database.ahead_s
        ((gone,),) = await self.database.ask("select public.exai_sweep(%s, %s)", at, SWEEP_GRACE_S)
        return int(gone)

    async def newest_at(self) -> float | None:
        noted = await self.clock.newest_at()
        if noted is not None:
            return noted
        ((newest,),) = await self.database.ask(_NEWEST)
        return None if newest is None else newest + self.database.ahead_s

    async def note_time(self, now: float) -> None:
        await self.clock.note_time(now)

    async def _added(
        self, function: str, conversation: str, times: tuple[float, float], more: dict[str, Any]
    ) -> int:
        """How many there are then. Raises StorageError."""
        now, expires_at = times
        body = {
            "conversation": conversation,
            "principal": self.principal,
            "now": now,
            "expires_at": expires_at,
            "ahead": self.database.ahead_s,
            **more,
        }
        try:
            rows = await self.database.ask(f"select public.{function}(%s::jsonb)", as_text(body))
        except DataRefused as fault:
            if fault.details.get("sqlstate") == _ANOTHERS_CODE:
                raise StorageError(ANOTHERS) from None
            raise
        return int(rows[0][0])

    async def _pages(self, continuation_id: str, now: float) -> list[_Page]:
        """All of it; nothing of one that has expired, or is another's."""
        pages: list[_Page] = []
        messages = steps = 0
        while not pages or pages[-1].is_full:
            ((told,),) = await self.database.ask(
                _TAIL, continuation_id, messages, steps, PAGE_LENGTH
            )
            if told is None or told["principal"] != self.principal:
                return []
            page = msgspec.convert(told, _Page)
            if page.expires_at + self.database.ahead_s <= now:
                return []
            pages.append(page)
            messages = page.messages[-1][0] if page.messages else messages
            steps = page.steps[-1][0] if page.steps else steps
        return pages


def _step_row(step: Step) -> dict[str, Any]:
    return {"tool": step.tool, "at": step.at, "data": step.data, "key": step.key or None}
