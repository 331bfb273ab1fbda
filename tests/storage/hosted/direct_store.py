"""The hosted side alone as a store: what a mirror sends and reads, without a mirror, so that the contract can be held against it."""

import uuid
from itertools import count

import attrs

from exai_trio.errors import StorageError
from exai_trio.storage.base import SWEEP_GRACE_S, Conversation
from exai_trio.storage.hosted.outbox_entries import Growth, Mark, messages, step as step_entry


@attrs.frozen
class DirectStore:
    remote: object
    principal: str = "owner"

    def of(self, principal):
        return attrs.evolve(self, principal=principal)

    async def load(self, continuation_id, now):
        found = await self._whole(continuation_id, now)
        return found and found[0]

    async def steps(self, continuation_id, now):
        found = await self._whole(continuation_id, now)
        return found[1] if found else ()

    async def append(self, continuation_id, turns, now, expires_at, step=None):
        growth = self._growth(continuation_id, now, expires_at)
        for turn in turns:
            _check(turn.text)
        entry = attrs.evolve(messages(growth, turns), id=uuid.uuid4().hex)
        count = await self._applied(entry)
        if step is not None:
            await self.add_step(continuation_id, step, now, expires_at)
        return count

    async def add_step(self, continuation_id, step, now, expires_at):
        growth = self._growth(continuation_id, now, expires_at)
        number = await self._applied(attrs.evolve(step_entry(growth, step), id=uuid.uuid4().hex))
        return (await self.steps(continuation_id, now))[:number]

    async def kept_under(self, keys, now):
        return await self.remote.kept_under(self.principal, keys, now)

    async def sweep(self, now):
        return await self.remote.sweep(now, SWEEP_GRACE_S)

    def _growth(self, continuation_id, now, expires_at):
        return Growth(
            conversation=continuation_id, principal=self.principal, now=now, expires_at=expires_at
        )

    async def _applied(self, entry):
        (applied,) = await self.remote.apply((entry,))
        if applied.code:
            raise StorageError(f"refused: {applied.code}")
        return applied.number

    async def _whole(self, continuation_id, now):
        mark, turns, steps = Mark(), [], []
        for _ in count():
            tail = await self.remote.tail(continuation_id, mark)
            if tail is None or tail.principal != self.principal or tail.expires_at <= now:
                return None
            turns += [turn for _, turn in tail.turns]
            steps += [step for _, step in tail.steps]
            if not tail.is_full:
                break
            mark = tail.end(mark)
        found = Conversation(
            id=continuation_id,
            created_at=tail.created_at,
            expires_at=tail.expires_at,
            turns=tuple(turns),
        )
        return found, tuple(steps)


def _check(text):
    try:
        text.encode()
    except ValueError as fault:
        raise StorageError(str(fault)) from fault
