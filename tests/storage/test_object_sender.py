"""The job that sends contents to their buckets: one after the other, again until each has arrived, and nobody is asked too often."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from database_in_memory import MemoryDatabase
from remote_in_memory import MemoryRemote, pieces

from exai_trio.storage.hosted.guarded_bucket import FILES, GuardedBucket
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway, TooLarge
from exai_trio.storage.hosted.object_sender import ObjectSender, Source
from exai_trio.storage.sqlite.mirrored.unsent_objects import SqliteUnsent


@attrs.define
class Sending:
    """`here` are the contents on this machine; `arrived` what the hosted database was told, which it does not take while `early`."""

    unsent: SqliteUnsent
    remote: MemoryRemote = attrs.field(factory=MemoryRemote)
    here: dict = attrs.field(factory=dict)
    arrived: list = attrs.field(factory=list)
    early: int = 0
    sender: ObjectSender = None

    @property
    def bucket(self):
        return self.remote.bucket(FILES)

    @asynccontextmanager
    async def opened(self, name):
        yield pieces(self.here[name]) if name in self.here else None

    async def note(self, unsent):
        if self.early:
            self.early -= 1
            return False
        self.arrived.append(unsent.name)
        return True

    async def add(self, name, content=b"content"):
        self.here[name] = content
        await self.unsent.add(FILES, name, len(content), "")

    async def wait_sent(self, look_again_s=0.1):
        with trio.fail_after(1e6):
            while await self.unsent.all():
                await trio.sleep(look_again_s)
        return trio.current_time()


@pytest.fixture
async def sending(nursery):
    guarded = GuardedRemote()
    found = Sending(SqliteUnsent(MemoryDatabase()))
    guarded.connect(found.remote)
    source = Source(bucket=GuardedBucket(guarded, FILES), opened=found.opened, arrived=found.note)
    found.sender = ObjectSender(
        unsent=found.unsent, sources={FILES: source}, now=trio.current_time, random=lambda: 0.5
    )
    nursery.start_soon(found.sender.run)
    return found


async def test_what_is_added_is_sent_at_once_and_told(sending, autojump_clock):
    """In its order; the sender sleeps until then."""
    await trio.sleep(1)
    started = trio.current_time()
    for name in ("a", "b"):
        await sending.add(name, name.encode())
    ended = await sending.wait_sent()

    assert {"a": b"a", "b": b"b"} == sending.bucket.contents
    assert (["a", "b"], 2) == (sending.arrived, sending.sender.sent)
    assert ended - started < 1


async def test_one_that_is_here_no_more_is_let_go(sending, autojump_clock):
    """Nothing is sent, nobody is told."""
    await sending.unsent.add(FILES, "gone", 3, "")
    await sending.wait_sent()

    assert ({}, []) == (sending.bucket.contents, sending.arrived)


@pytest.mark.parametrize("why", ["away", "row"])
async def test_what_fails_is_tried_again_later_and_later(sending, autojump_clock, why):
    """Also when its row is still on its way; the other contents wait, too, for nobody there is well."""
    if why == "row":
        sending.early = 6
    else:
        sending.bucket.faults = [HostedAway("Supabase is not there.") for _ in range(6)]
    await sending.add("a")
    ended = await sending.wait_sent()

    assert {"a": b"content"} == sending.bucket.contents
    assert 4 < ended < 60
    assert 1 == sending.sender.sent


async def test_what_is_too_large_waits_for_hours_and_stops_nobody(sending, autojump_clock):
    """Somebody may raise the limit meanwhile; its fault is kept."""
    sending.bucket.faults = [TooLarge("larger than the bucket takes")]
    await sending.add("large")
    with trio.fail_after(3600):
        while not (await sending.unsent.all())[0].fault:
            await trio.sleep(1)
    (kept,) = await sending.unsent.all()
    await sending.add("small")
    with trio.fail_after(60):
        while sending.arrived != ["small"]:
            await trio.sleep(0.1)
    ended = await sending.wait_sent(look_again_s=60)

    assert ("larger than the bucket takes", 1) == (kept.fault, kept.attempts)
    assert 6 * 3600 <= ended < 7 * 3600


async def test_after_a_failure_nothing_new_wakes_it_but_somebody_who_has_mended_it_does(
    sending, autojump_clock
):
    """What is added makes nobody well."""
    await trio.sleep(1)  # it waits by now, and is woken once
    sending.bucket.faults = [HostedAway("Supabase is not there.", retry_after_s=900.0)]
    await sending.add("a")
    await trio.sleep(1)
    await sending.add("b")
    await trio.sleep(1)
    before = list(sending.arrived)
    sending.sender.try_now()
    ended = await sending.wait_sent()

    assert ([], ["b", "a"]) == (before, sending.arrived)
    assert ended < 30
