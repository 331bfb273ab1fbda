"""When a mirror asks its other side, on a clock that jumps, and what it answers while it does not."""

from types import SimpleNamespace

import attrs
import pytest
import trio
import trio.testing

from exai_trio.errors import ServiceUnavailableError
from exai_trio.storage import mirror as mirroring
from exai_trio.storage.base import Turn
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway
from exai_trio.storage.hosted.outbox_entries import Mark, Tail
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.mirror import FRESH_S, Looks, Mirror

END = 4_000_000_000.0
TURN = Turn(role="user", text="hers", tool="chat", at=1.0, key="k")


@attrs.define(eq=False)
class Here:
    """This machine's side, which has nothing at first."""

    store: object
    principal: str = "owner"
    marks: dict = attrs.field(factory=dict)
    deleted: set = attrs.field(factory=set)  # and not told yet
    writes: trio.Event | None = None  # what a deletion waits for

    def of(self, principal):
        return attrs.evolve(self, store=self.store.of(principal), principal=principal)

    @property
    def threads(self):
        return self

    async def named(self, _name, _now):
        await trio.lowlevel.checkpoint()

    async def mark(self, continuation_id):
        await trio.lowlevel.checkpoint()
        return self.marks.get(continuation_id)

    async def is_deleted(self, continuation_id):
        await trio.lowlevel.checkpoint()
        return continuation_id in self.deleted

    async def load(self, continuation_id, now):
        return await self.store.load(continuation_id, now)

    async def delete(self, continuation_id, now):
        if self.writes is not None:
            await self.writes.wait()
        self.deleted.add(continuation_id)
        return await self.store.delete(continuation_id, now)

    async def take(self, continuation_id, _after, tail):
        if tail.principal == self.principal:
            await self.store.append(continuation_id, [turn for _, turn in tail.turns], 1.0, END)
            self.marks[continuation_id] = Mark(messages=len(tail.turns))


@attrs.define
class There:
    """The other side, which has one conversation of Ann's."""

    fault: Exception | None = None
    asked: int = 0

    async def tail(self, _continuation_id, after):
        await trio.lowlevel.checkpoint()
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        turns = () if after.messages else ((1, TURN),)
        return Tail(principal="ann", name="", created_at=1.0, expires_at=END, turns=turns)


@pytest.fixture
def there():
    return There()


@pytest.fixture
def mirror(there):
    guarded = GuardedRemote()
    guarded.connect(there)
    return Mirror(Here(MemoryStore()), guarded, upkeep=None)


async def test_what_somebody_else_has_asked_for_is_looked_for_again(mirror, autojump_clock):
    """That it is none of theirs says nothing of whose it is."""
    nobodys = await mirror.of("bob").load("c", 2.0)
    hers = await mirror.of("ann").load("c", 2.0)

    assert nobodys is None
    assert [TURN] == [*hers.turns]


async def test_it_is_asked_once_within_some_seconds_and_then_again(mirror, there, autojump_clock):
    """Of what is here."""
    own = mirror.of("ann")
    for _ in range(3):
        await own.load("c", 2.0)
    at_once = there.asked
    await trio.sleep(FRESH_S)
    await own.load("c", 2.0)

    assert (1, 2) == (at_once, there.asked)


async def test_what_has_never_come_is_asked_for_each_time_until_that_succeeds(
    mirror, there, autojump_clock
):
    """It is found as soon as it can be."""
    own = mirror.of("ann")
    there.fault = HostedAway("Supabase is away.")
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError, match="not on this machine"):
            await own.load("c", 2.0)
    there.fault = None

    assert [TURN] == [*(await own.load("c", 2.0)).turns]
    assert 3 == there.asked


async def test_only_the_newest_looks_are_remembered(monkeypatch, autojump_clock):
    """However many conversations are asked for."""
    monkeypatch.setattr(mirroring, "_MOST_LOOKED_AT", 2)
    looks = Looks()
    for name in "abac":
        looks.note(("ann", name), None)

    assert [True, False, True] == [looks.recent(("ann", name)) is not None for name in "abc"]


async def test_what_was_deleted_here_is_not_asked_for_until_that_is_told(
    mirror, there, autojump_clock
):
    """Nor is what was asked before the deletion taken after it, though that is told meanwhile."""
    own = mirror.of("ann")
    await own.delete("c", 1.0)
    untold = await own.load("c", 2.0), there.asked
    own.local.deleted.clear()
    answer = there.tail

    async def late(*asked):
        told = await answer(*asked)
        if there.asked > 1:
            return None
        await own.delete("c", 2.0)
        own.local.deleted.clear()
        return told

    own.remote.connect(SimpleNamespace(tail=late))
    passed = await own.load("c", 3.0)

    assert (None, 0) == untold
    assert passed is None


async def test_a_deletion_hides_no_other_conversation(mirror, there, autojump_clock):
    """That is asked for again."""
    own, answer = mirror.of("ann"), there.tail

    async def late(*asked):
        told = await answer(*asked)
        if there.asked == 1:
            await own.delete("another", 2.0)
        return told

    own.remote.connect(SimpleNamespace(tail=late))

    assert [TURN] == [*(await own.load("c", 3.0)).turns]


async def test_what_is_asked_while_a_deletion_is_written_is_not_taken(
    mirror, there, nursery, autojump_clock
):
    own, answer = mirror.of("ann"), there.tail
    own.local.writes = trio.Event()

    async def late(*asked):
        told = await answer(*asked)
        own.local.writes.set()
        await trio.testing.wait_all_tasks_blocked()
        own.local.deleted.clear()
        return told if there.asked == 1 else None

    own.remote.connect(SimpleNamespace(tail=late))
    nursery.start_soon(own.delete, "c", 2.0)
    await trio.testing.wait_all_tasks_blocked()

    assert await own.load("c", 3.0) is None
