"""Conversations and their workflow steps in dicts: a store for tests and trials that passes the same contract tests.

Nothing survives it.
"""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.principals import OWNER
from exai_trio.storage.base import SWEEP_GRACE_S, Conversation, Step, Summary, Turn
from exai_trio.storage.sqlite.statements import ANOTHERS


@structs.define
class MemoryStore:
    """Conversations, and the Store and Threads of one principal, that forget."""

    _conversations: dict[str, Conversation] = attrs.field(factory=dict[str, Conversation])
    _steps: dict[str, tuple[Step, ...]] = attrs.field(factory=dict[str, tuple[Step, ...]])
    _names: dict[str, str] = attrs.field(factory=dict[str, str])
    _principals: dict[str, str] = attrs.field(factory=dict[str, str])
    _marked: dict[str, float] = attrs.field(factory=dict[str, float])
    _trusted: list[float] = attrs.field(factory=list[float])
    _principal: str = OWNER

    def of(self, principal: str) -> "MemoryStore":
        return attrs.evolve(self, principal=principal)

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        await trio.lowlevel.checkpoint()
        found = self._conversations.get(continuation_id)
        return found if found is not None and self._is_there(found, now) else None

    def _is_there(self, one: Conversation, now: float) -> bool:
        return one.expires_at > now and self._principals[one.id] == self._principal

    async def append(
        self,
        continuation_id: str,
        turns: tuple[Turn, ...],
        now: float,
        expires_at: float,
        step: Step | None = None,
    ) -> int:
        await trio.lowlevel.checkpoint()
        kept = {turn.key for one in self._conversations.values() for turn in one.turns if turn.key}
        fresh = tuple(_as_stored(turn) for turn in turns if turn.key not in kept)
        if fresh or not turns:
            known = self._prolonged(continuation_id, now, expires_at)
            grown = attrs.evolve(known, turns=known.turns + fresh)
            self._conversations[continuation_id] = grown
        if step is not None:
            self._note(continuation_id, step, now, expires_at)
        found = self._conversations.get(continuation_id)
        return len(found.turns) if found else 0

    async def kept_under(self, keys: tuple[str, ...], now: float) -> str | None:
        await trio.lowlevel.checkpoint()
        for one in self._unexpired(now):
            own = {turn.key for turn in one.turns} | {
                step.key for step in self._steps.get(one.id, ())
            }
            if own.intersection(keys) - {""}:
                return one.id
        return None

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        found = await self.load(continuation_id, now)
        return () if found is None else self._steps.get(continuation_id, ())

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        await trio.lowlevel.checkpoint()
        return self._note(continuation_id, step, now, expires_at)

    def _note(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        kept = attrs.evolve(step, data=_plain(step.data))
        self._prolonged(continuation_id, now, expires_at)
        keys = {each.key for steps in self._steps.values() for each in steps} - {""}
        fresh = () if step.key in keys else (kept,)
        grown = (*self._steps.get(continuation_id, ()), *fresh)
        self._steps[continuation_id] = grown
        return grown

    async def recent(self, now: float, most: int | None = None) -> tuple[Summary, ...]:
        await trio.lowlevel.checkpoint()
        found = [self._summary(one) for one in self._unexpired(now)]
        return tuple(sorted(found, key=lambda one: (-one.last_at, one.id))[:most])

    def _unexpired(self, now: float) -> list[Conversation]:
        return [one for one in self._conversations.values() if self._is_there(one, now)]

    def _summary(self, one: Conversation) -> Summary:
        steps = self._steps.get(one.id, ())
        tools = [step.tool for step in steps[-1:]] + [turn.tool for turn in one.turns[-1:]]
        times = [step.at for step in steps[-1:]] + [turn.at for turn in one.turns[-1:]]
        return Summary(
            id=one.id,
            name=self._names.get(one.id, ""),
            created_at=one.created_at,
            expires_at=one.expires_at,
            turns=len(one.turns),
            tool=tools[-1] if tools else "",
            model=next((turn.model for turn in reversed(one.turns) if turn.model), ""),
            opening=next((turn.text for turn in one.turns if turn.role == "user"), "")[:200],
            last_at=max([one.created_at, *times]),
        )

    async def find(self, wanted: str, now: float) -> tuple[str, ...]:
        await trio.lowlevel.checkpoint()
        ids = sorted(one.id for one in self._unexpired(now))
        if wanted in ids:
            return (wanted,)
        named = await self.named(wanted, now)
        return (named,) if named else tuple(id_ for id_ in ids if id_.startswith(wanted))

    async def named(self, name: str, now: float) -> str | None:
        await trio.lowlevel.checkpoint()
        ids = (one.id for one in self._unexpired(now) if self._names.get(one.id) == name)
        return next(ids, None) if name else None

    async def name(self, continuation_id: str, name: str, now: float) -> bool:
        await trio.lowlevel.checkpoint()
        ids = [one.id for one in self._unexpired(now)]
        others = {self._names.get(id_) for id_ in ids if id_ != continuation_id}
        if continuation_id not in ids or (name and name in others):
            return False
        self._names.update(dict.fromkeys(self._stale(name, ids), ""))
        self._names[continuation_id] = name
        return True

    def _stale(self, name: str, unexpired: list[str]) -> list[str]:
        """What has expired and was called so: it holds no name any more."""
        own = [id_ for id_, whose in self._principals.items() if whose == self._principal]
        return [id_ for id_ in own if id_ not in unexpired and self._names.get(id_) == name]

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> bool:
        known = await self.load(continuation_id, now)
        if known is None:
            return False
        turns = tuple(attrs.evolve(turn, key="") for turn in known.turns)
        copy = attrs.evolve(known, id=new_id, created_at=now, expires_at=expires_at, turns=turns)
        self._conversations[new_id] = copy
        self._principals[new_id] = self._principal
        steps = self._steps.get(continuation_id, ())
        self._steps[new_id] = tuple(attrs.evolve(step, key="") for step in steps)
        return True

    async def delete(self, continuation_id: str, now: float) -> bool:
        known = await self.load(continuation_id, now)
        if self._principals.get(continuation_id) == self._principal:
            self._forget(continuation_id)
        return known is not None

    def _forget(self, continuation_id: str) -> None:
        tables = (self._conversations, self._steps, self._names, self._principals, self._marked)
        for table in tables:
            table.pop(continuation_id, None)

    def _prolonged(self, continuation_id: str, now: float, expires_at: float) -> Conversation:
        """The conversation with its new end. Raises StorageError if it is another's."""
        if self._principals.setdefault(continuation_id, self._principal) != self._principal:
            raise StorageError(ANOTHERS)
        known = self._conversations.get(continuation_id)
        if known is None:
            known = Conversation(id=continuation_id, created_at=now, expires_at=expires_at)
        self._marked.pop(continuation_id, None)
        prolonged = attrs.evolve(known, expires_at=expires_at)
        self._conversations[continuation_id] = prolonged
        return prolonged

    async def sweep(self, now: float) -> int:
        await trio.lowlevel.checkpoint()
        expired = [c.id for c in self._conversations.values() if c.expires_at <= now]
        marks = {id_: at for id_, at in self._marked.items() if id_ in expired and at <= now}
        gone = [id_ for id_, at in marks.items() if at <= now - SWEEP_GRACE_S]
        self._marked.clear()
        self._marked.update({id_: marks.get(id_, now) for id_ in expired})
        for continuation_id in gone:
            self._forget(continuation_id)
        return len(gone)

    async def newest_at(self) -> float | None:
        await trio.lowlevel.checkpoint()
        ats = [one.created_at for one in self._conversations.values()]
        ats += [turn.at for one in self._conversations.values() for turn in one.turns]
        return self._trusted[-1] if self._trusted else max(ats, default=None)

    async def note_time(self, now: float) -> None:
        await trio.lowlevel.checkpoint()
        self._trusted[:] = [now]


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
