"""When the outbox is sent and when it waits: on a clock that jumps, with a day's outage in a moment."""

from collections import Counter
from contextlib import AsyncExitStack

import attrs
import pytest
import trio

from exai_trio.errors import StorageError
from exai_trio.resilience.breaker import Breaker
from exai_trio.storage.hosted import outbox_sender
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import (
    HostedAway,
    KeyRefused,
    SchemaDiffers,
    TooLarge,
)
from exai_trio.storage.hosted.outbox_entries import Applied, Depth, Entry, sorted_by_key
from exai_trio.storage.hosted.outbox_sender import MENDED_S, OutboxSender

DAY_S = 86_400.0


def entry(number, key="c"):
    return Entry(id=f"{number}", kind="messages", key=key, body="{}", at=0.0)


@attrs.define
class FakeOutbox:
    waiting: list = attrs.field(factory=list)
    parked: list = attrs.field(factory=list)
    woken: list = attrs.field(factory=list)

    def add(self, *entries):
        self.waiting += entries
        for woken in self.woken:
            woken()

    def watch(self, woken):
        self.woken.append(woken)

    async def batch(self, most):
        await trio.lowlevel.checkpoint()
        return tuple(self.waiting[:most])

    async def settle(self, sent, applied):
        await trio.lowlevel.checkpoint()
        done = {one.id for one in applied}
        self.parked += [one for one in applied if one.code]
        self.waiting = [each for each in self.waiting if each.id not in done]

    async def note_attempt(self, sent):
        await trio.lowlevel.checkpoint()

    async def depth(self):
        await trio.lowlevel.checkpoint()
        return Depth(entries=len(self.waiting))


@attrs.define
class FakeRemote:
    """Applies each id once. `fault` is raised instead while there is one, `lost` after it was applied."""

    fault: Exception | None = None
    lost: bool = False
    asked: list = attrs.field(factory=list)
    kept: list = attrs.field(factory=list)
    refused: frozenset = frozenset()
    most: int = 1000

    async def apply(self, entries):
        await trio.sleep(0.01)
        self.asked.append((trio.current_time(), len(entries)))
        if self.fault is not None:
            raise self.fault
        if len(entries) > self.most:
            raise TooLarge("x", reason="413")
        good = [one for one in entries if one.id not in self.refused]
        self.kept += [one.id for one in good if one.id not in self.kept]
        if self.lost:
            raise HostedAway("x")
        return tuple(Applied(id=one.id, code="" if one in good else "23514") for one in entries)


@attrs.define
class World:
    outbox: FakeOutbox
    remote: FakeRemote
    sender: OutboxSender

    async def empty(self):
        while self.outbox.waiting:
            await trio.sleep(0.01)


@pytest.fixture
async def world(autojump_clock):
    outbox, remote = FakeOutbox(), FakeRemote()
    guarded = GuardedRemote(Breaker(threshold=5, open_s=60.0))
    guarded.connect(remote)
    sender = OutboxSender(outbox, guarded, lambda: 0.999)
    async with trio.open_nursery() as sending:
        sending.start_soon(sender.run)
        yield World(outbox, remote, sender)
        sending.cancel_scope.cancel()


async def test_it_wakes_on_a_commit(world, autojump_clock):
    """What is added is sent at once, however long nothing was."""
    await trio.sleep(1000)
    began = trio.current_time()
    world.outbox.add(entry(1))
    await world.empty()

    assert trio.current_time() - began < 0.1


@pytest.mark.parametrize("stuck", ["batch", "settle", "note_attempt"])
async def test_a_disk_that_fails_ends_nothing(stuck, world, monkeypatch, autojump_clock):
    """It is waited for as the other side is, each entry arrives once, and a later one does at once."""

    async def full(*_given):
        raise StorageError("The disk is full.")

    world.remote.fault = HostedAway("x") if stuck == "note_attempt" else None
    with monkeypatch.context() as trouble:
        trouble.setattr(FakeOutbox, stuck, full)
        world.outbox.add(entry(1))
        await trio.sleep(1000)
        tries = len(world.remote.asked)
    world.remote.fault = None
    await world.empty()
    await trio.sleep(1000)
    began = trio.current_time()
    world.outbox.add(entry(2))
    await world.empty()

    assert trio.current_time() - began < 0.1
    assert ["1", "2"] == world.remote.kept
    assert tries < 100


async def test_a_disk_that_fails_while_nothing_waits_delays_nothing(
    world, monkeypatch, autojump_clock
):
    async def full(*_given):
        raise StorageError("The disk is full.")

    with monkeypatch.context() as trouble:
        trouble.setattr(FakeOutbox, "batch", full)
        await trio.sleep(100)
    await trio.sleep(100)
    began = trio.current_time()
    world.outbox.add(entry(1))
    await world.empty()

    assert trio.current_time() - began < 0.1


async def test_a_day_of_outage_ends_within_35_seconds(world, autojump_clock):
    """It is asked at most every 30 s meanwhile, and all is there once, in order, soon after; the breaker keeps nobody back."""
    world.remote.fault = HostedAway("x")
    for number in range(250):
        world.outbox.add(entry(number))
    await trio.sleep(DAY_S)
    tries = len(world.remote.asked)
    world.remote.fault, began = None, trio.current_time()
    await world.empty()

    assert trio.current_time() - began < 35
    assert DAY_S / 31 < tries < DAY_S / 25
    assert [f"{n}" for n in range(250)] == world.remote.kept


async def test_a_minute_of_outage_under_20_calls_a_second(world, autojump_clock):
    """What is kept meanwhile is there once, in order, within 35 s."""
    world.remote.fault = HostedAway("x")
    for second in range(60):
        world.outbox.add(*map(entry, range(second * 20, second * 20 + 20)))
        await trio.sleep(1)
    world.remote.fault, began = None, trio.current_time()
    await world.empty()

    assert trio.current_time() - began < 35
    assert [f"{n}" for n in range(60 * 20)] == world.remote.kept


async def test_a_lost_answer_costs_a_repeat_that_changes_nothing(world, autojump_clock):
    """Sent again until an answer comes; kept once."""
    world.remote.lost = True
    world.outbox.add(entry(1), entry(2))
    await trio.sleep(20)
    world.remote.lost = False
    await world.empty()

    assert Counter({"1": 1, "2": 1}) == Counter(world.remote.kept)
    assert len(world.remote.asked) > 2


@pytest.mark.parametrize("fault", [KeyRefused("x"), SchemaDiffers("x")])
async def test_what_somebody_must_mend_is_asked_for_each_minute_and_on_a_hangup(
    world, autojump_clock, fault
):
    """Nothing is parked, and what is added meanwhile makes no more requests."""
    world.remote.fault = fault
    world.outbox.add(entry(1))
    await trio.sleep(10 * MENDED_S + 1)
    world.outbox.add(entry(2))
    await trio.sleep(1)
    tries, trouble = len(world.remote.asked), world.sender.trouble
    world.remote.fault = None
    began = trio.current_time()
    world.sender.try_now()
    await world.empty()

    assert (11, fault) == (tries, trouble)
    assert trio.current_time() - began < 0.1
    assert ([], None) == (world.outbox.parked, world.sender.trouble)


async def test_what_is_refused_is_parked_and_the_rest_goes_on(world, autojump_clock):
    """Entries after it, of the same conversation too."""
    world.remote.refused = frozenset({"2"})
    world.outbox.add(*map(entry, range(5)))
    await world.empty()

    assert ["0", "1", "3", "4"] == world.remote.kept
    assert [("2", "23514")] == [(one.id, one.code) for one in world.outbox.parked]


async def test_a_batch_that_is_too_large_is_halved_until_it_fits(world, autojump_clock):
    """And is whole again afterwards."""
    world.remote.most = 10
    world.outbox.add(*map(entry, range(100)))
    await world.empty()
    sizes = [size for _, size in world.remote.asked]

    assert [100, 50, 25, 12, 6] == sizes[:5]
    assert [f"{n}" for n in range(100)] == world.remote.kept


async def test_the_end_waits_two_seconds_at_most(world, autojump_clock):
    """For what can be sent; not at all for what cannot."""
    world.outbox.add(*map(entry, range(150)))
    began = trio.current_time()
    await world.sender.wait_sent()
    sent, world.remote.fault = trio.current_time() - began, HostedAway("x")
    world.outbox.add(entry("late"))
    await trio.sleep(1)
    began = trio.current_time()
    await world.sender.wait_sent()

    assert ([f"{n}" for n in range(150)], True) == (world.remote.kept, sent < 2)
    assert 0 == trio.current_time() - began


def test_a_batch_is_sorted_by_key_and_keeps_the_order_of_each():
    """So that two daemons lock rows in one order."""
    mixed = [entry(1, "b"), entry(2, "a"), entry(3, "b"), entry(4, "a")]

    assert ["2", "4", "1", "3"] == [one.id for one in sorted_by_key(mixed)]


@attrs.define
class LockingRemote(FakeRemote):
    """A row is locked for each key, in the order of the entries, until all are applied."""

    locks: dict = attrs.field(factory=lambda: {"a": trio.Lock(), "b": trio.Lock()})

    async def apply(self, entries):
        async with AsyncExitStack() as held:
            for key in dict.fromkeys(one.key for one in entries):
                await held.enter_async_context(self.locks[key])
                await trio.sleep(0.01)
            return await super().apply(entries)


@pytest.mark.parametrize("planted", [False, True])
async def test_two_machines_lock_rows_in_one_order(planted, monkeypatch, autojump_clock):
    """So that neither waits for the other; where batches are not sorted, this finds out."""
    if planted:
        monkeypatch.setattr(outbox_sender, "sorted_by_key", tuple)
    remote, keys = LockingRemote(), ("ab", "ba")
    boxes = [FakeOutbox([entry(f"{of}{key}", key) for key in of]) for of in keys]
    async with trio.open_nursery() as sending:
        for box in boxes:
            guarded = GuardedRemote()
            guarded.connect(remote)
            sending.start_soon(OutboxSender(box, guarded, lambda: 0.5).run)
        with trio.move_on_after(1) as patience:
            while any(box.waiting for box in boxes):  # noqa: ASYNC110 - a clock that jumps
                await trio.sleep(0.01)
        sending.cancel_scope.cancel()

    assert planted == patience.cancelled_caught
    assert planted == (len(remote.kept) < 4)


class HastyOutbox(FakeOutbox):
    """What it gives to be sent, it has deleted."""

    async def batch(self, most):
        found = await super().batch(most)
        self.waiting = self.waiting[len(found) :]
        return found


@pytest.mark.parametrize("planted", [False, True])
async def test_cancelled_anywhere_nothing_is_lost(planted, autojump_clock, cancel_at_every_step):
    """What was not settled is still in the outbox, and what was is kept; where it is deleted before the answer, this finds out."""
    seen, lost = [], []

    async def scenario():
        outbox, remote = (HastyOutbox if planted else FakeOutbox)(), FakeRemote()
        seen.append((outbox, remote))
        guarded = GuardedRemote()
        guarded.connect(remote)
        outbox.add(*map(entry, range(3)))
        sender = OutboxSender(outbox, guarded, lambda: 0.5)
        async with trio.open_nursery() as sending:
            sending.start_soon(sender.run)
            await sender.wait_sent()
            sending.cancel_scope.cancel()

    def invariant():
        outbox, remote = seen[-1]
        lost.extend({"0", "1", "2"} - {one.id for one in outbox.waiting} - set(remote.kept))

    assert await cancel_at_every_step(scenario, invariant) > 5
    assert planted == bool(lost)
