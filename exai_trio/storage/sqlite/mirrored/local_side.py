"""This machine's side of a mirror: what is added goes into exai.db and its outbox in one transaction.

A conversation that has never been told to the other side is told whole, with the first thing that is added to it.
"""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from exai_trio import structs
from exai_trio.storage.base import Conversation, Step, Turn
from exai_trio.storage.hosted.outbox_entries import (
    ANONYMOUS,
    Entry,
    Growth,
    Mark,
    Tail,
    delete,
    messages,
    name,
    step as step_entry,
)
from exai_trio.storage.sqlite import statements, thread_store
from exai_trio.storage.sqlite.mirrored import common_history
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox, add, is_deleted
from exai_trio.storage.sqlite.thread_store import SqliteThreads

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

Kept = TypeVar("Kept", Turn, Step)
_KEYS: Final = (
    "UPDATE turns SET key = ? || lower(hex(randomblob(15))) WHERE conversation = ? AND key = ''",
    "UPDATE steps SET key = ? || lower(hex(randomblob(15))) WHERE conversation = ? AND key = ''",
)
_NAME: Final = "SELECT name FROM thread_names WHERE conversation = ?"
_UNTOLD: Final = (
    "SELECT id, principal FROM conversations c WHERE NOT EXISTS"
    " (SELECT 1 FROM mirrored m WHERE m.conversation = c.id) ORDER BY created_at, id"
)


@structs.frozen(eq=False)
class LocalSide:
    """The conversations of one principal. Raises StorageError; cancelling leaves a write done or not done, never half."""

    _store: "SqliteStore"
    outbox: SqliteOutbox

    def of(self, principal: str) -> "LocalSide":
        return attrs.evolve(self, store=self._store.of(principal))

    @property
    def principal(self) -> str:
        return self._store.principal

    @property
    def threads(self) -> SqliteThreads:
        return SqliteThreads(self._store)

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        found = await self._store.load(continuation_id, now)
        return found and attrs.evolve(found, turns=tuple(map(_as_given, found.turns)))

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        return tuple(map(_as_given, await self._store.steps(continuation_id, now)))

    async def kept_under(self, keys: tuple[str, ...], now: float) -> str | None:
        return await self._store.kept_under(keys, now)

    async def mark(self, continuation_id: str) -> Mark | None:
        return await self._store.read(
            lambda connection: common_history.mark_of(connection, continuation_id)
        )

    async def is_deleted(self, continuation_id: str) -> bool:
        return await self._store.read(lambda connection: is_deleted(connection, continuation_id))

    async def append(
        self,
        continuation_id: str,
        turns: tuple[Turn, ...],
        now: float,
        expires_at: float,
        step: Step | None = None,
    ) -> int:
        growth = self._growth(continuation_id, now, expires_at)
        keyed = tuple(_keyed(turn) for turn in turns)
        rows = [statements.row(turn) for turn in keyed]
        entry = messages(growth, keyed)
        note = None if step is None else self._noting(growth, step)

        def work(connection: "sqlite3.Connection") -> int:
            own = (self.principal, continuation_id)
            count = statements.append(connection, own, rows, now, expires_at)
            _tell(connection, growth, entry, len(rows))
            if note is not None:
                note(connection)
            return count

        return await self._store.write(work, done=self.outbox.tell)

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        note = self._noting(self._growth(continuation_id, now, expires_at), step)

        def work(connection: "sqlite3.Connection") -> tuple[Step, ...]:
            note(connection)
            return statements.all_steps(connection, continuation_id)

        return tuple(map(_as_given, await self._store.write(work, done=self.outbox.tell)))

    def _noting(self, growth: Growth, step: Step) -> Callable[["sqlite3.Connection"], None]:
        keyed = _keyed(step)
        row, entry = statements.step_row(keyed), step_entry(growth, keyed)
        own = (growth.principal, growth.conversation)

        def work(connection: "sqlite3.Connection") -> None:
            statements.add_step(connection, own, row, growth.now, growth.expires_at)
            _tell(connection, growth, entry)

        return work

    async def take(self, continuation_id: str, after: Mark, tail: Tail) -> None:
        """What the other side has beyond that mark. What was deleted here meanwhile stays so."""
        own = (self.principal, continuation_id)

        def work(connection: "sqlite3.Connection") -> None:
            if tail.principal == self.principal and not is_deleted(connection, continuation_id):
                common_history.take(connection, own, after, tail)

        await self._store.write(work)

    async def forget(self, continuation_id: str) -> None:
        """It was deleted there; what is still to be sent of it brings it back."""
        own = (self.principal, continuation_id)
        await self._store.write(lambda connection: _forget(connection, own))

    async def name(self, continuation_id: str, called: str, now: float) -> bool:
        growth = self._growth(continuation_id, now, now)
        entry = _named(growth, called)

        def work(connection: "sqlite3.Connection") -> bool:
            whose = (self.principal, now)
            done = thread_store.set_name(connection, continuation_id, called, whose)
            if done:
                _tell(connection, growth, entry, 0)
            return done

        return await self._store.write(work, done=self.outbox.tell)

    async def delete(self, continuation_id: str, now: float) -> bool:
        growth = self._growth(continuation_id, now, now)
        entry = delete(growth, f"d:{uuid.uuid4()}")

        def work(connection: "sqlite3.Connection") -> bool:
            add(connection, [entry])
            return thread_store.remove(connection, continuation_id, (self.principal, now))

        return await self._store.write(work, done=self.outbox.tell)

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> bool:
        growth = self._growth(new_id, now, expires_at)

        def work(connection: "sqlite3.Connection") -> bool:
            whose = (self.principal, now)
            done = thread_store.copy(connection, (continuation_id, new_id), whose, expires_at)
            if done:
                _tell(connection, growth, None, 0)
            return done

        return await self._store.write(work, done=self.outbox.tell)

    async def tell_all(self) -> int:
        """Every conversation, of whoever, that the other side has never heard of goes into the outbox. Returns how many."""
        return await self._store.write(_tell_all, done=self.outbox.tell)

    def _growth(self, continuation_id: str, now: float, expires_at: float) -> Growth:
        return Growth(
            conversation=continuation_id,
            principal=self.principal,
            now=now,
            expires_at=expires_at,
        )


def _tell(
    connection: "sqlite3.Connection", growth: Growth, entry: Entry | None, size: int = 1
) -> None:
    """The entry, of so many turns or steps; or the whole conversation, if it has never been told and has more."""
    told = [entry] if entry is not None else []
    if common_history.begin(connection, growth.conversation):
        whole = _whole(connection, growth)
        told = told if len(whole) == size else whole
    add(connection, told)


def _whole(connection: "sqlite3.Connection", growth: Growth) -> list[Entry]:
    """Each turn and step as an entry of its own, under a key that it keeps; and its name."""
    for statement in _KEYS:
        connection.execute(statement, (ANONYMOUS, growth.conversation))
    own = (growth.principal, growth.conversation)
    found = statements.load(connection, *own, now=0.0)
    if found is None:
        return []
    until = attrs.evolve(growth, expires_at=found.expires_at)
    steps = statements.present_steps(connection, *own, now=0.0)
    names = connection.execute(_NAME, own[1:])
    return [
        *(messages(until, (turn,)) for turn in found.turns),
        *(step_entry(until, each) for each in steps),
        *(_named(until, called) for (called,) in names),
    ]


def _named(growth: Growth, called: str) -> Entry:
    return name(growth, called, f"n:{uuid.uuid4()}")


def _tell_all(connection: "sqlite3.Connection") -> int:
    untold = connection.execute(_UNTOLD).fetchall()
    for conversation, principal in untold:
        found = statements.load(connection, principal, conversation, 0.0)
        if found is not None:
            growth = Growth(
                conversation=conversation,
                principal=principal,
                now=found.created_at,
                expires_at=found.expires_at,
            )
            _tell(connection, growth, None, 0)
    return len(untold)


def _forget(connection: "sqlite3.Connection", own: statements.Own) -> None:
    connection.execute(
        "DELETE FROM conversations WHERE principal = ? AND id = ?"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE key = conversations.id)",
        own,
    )


def _keyed(one: Kept) -> Kept:
    return one if one.key else attrs.evolve(one, key=f"{ANONYMOUS}{uuid.uuid4().hex}")


def _as_given(one: Kept) -> Kept:
    """Without a key that was none of its own."""
    return attrs.evolve(one, key="") if one.key.startswith(ANONYMOUS) else one
