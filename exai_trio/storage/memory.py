"""Conversations and their workflow steps in dicts: a store for tests and trials that passes the same contract tests. Nothing survives it."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.base import Conversation, Step, Turn


@attrs.define
class MemoryStore:
    """A Store that forgets."""

    _conversations: dict[str, Conversation] = attrs.field(factory=dict[str, Conversation])
    _steps: dict[str, tuple[Step, ...]] = attrs.field(factory=dict[str, tuple[Step, ...]])

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        await trio.lowlevel.checkpoint()
        found = self._conversations.get(continuation_id)
        return found if found is not None and found.expires_at > now else None

    async def append(
        self, continuation_id: str, turns: tuple[Turn, ...], now: float, expires_at: float
    ) -> int:
        await trio.lowlevel.checkpoint()
        kept = tuple(_as_stored(turn) for turn in turns)
        known = self._prolonged(continuation_id, now, expires_at)
        grown = attrs.evolve(known, turns=known.turns + kept)
        self._conversations[continuation_id] = grown
        return len(grown.turns)

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        found = await self.load(continuation_id, now)
        return () if found is None else self._steps.get(continuation_id, ())

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        await trio.lowlevel.checkpoint()
        kept = attrs.evolve(step, data=_plain(step.data))
        self._prolonged(continuation_id, now, expires_at)
        grown = (*self._steps.get(continuation_id, ()), kept)
        self._steps[continuation_id] = grown
        return grown

    def _prolonged(self, continuation_id: str, now: float, expires_at: float) -> Conversation:
        """The conversation with its new end; one that has ended begins anew."""
        known = self._conversations.get(continuation_id)
        if known is None or known.expires_at <= now:
            self._steps.pop(continuation_id, None)
            known = Conversation(id=continuation_id, created_at=now, expires_at=expires_at)
        prolonged = attrs.evolve(known, expires_at=expires_at)
        self._conversations[continuation_id] = prolonged
        return prolonged

    async def sweep(self, now: float) -> int:
        await trio.lowlevel.checkpoint()
        expired = [c.id for c in self._conversations.values() if c.expires_at <= now]
        for continuation_id in expired:
            del self._conversations[continuation_id]
            self._steps.pop(continuation_id, None)
        return len(expired)


def _as_stored(turn: Turn) -> Turn:
    """The turn as a real store gives it back: valid Unicode, and `extra` a copy of plain JSON data."""
    try:
        turn.text.encode()
    except ValueError as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault
    return attrs.evolve(turn, extra=_plain(turn.extra))


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(msgspec.json.encode(data), type=dict[str, Any])
    except (ValueError, TypeError) as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault
