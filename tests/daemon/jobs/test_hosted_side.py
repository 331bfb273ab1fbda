"""The hosted side of a daemon's store while this machine's disk fails, or Supabase answers nonsense: the daemon serves on."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from exai_trio.config import Config
from exai_trio.daemon.jobs.hosted_side import HostedSide
from exai_trio.errors import StorageError
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway
from exai_trio.storage.hosted.outbox_entries import Applied, Depth, Entry, HostedState
from exai_trio.storage.hosted.outbox_sender import OutboxSender
from exai_trio.storage.mirror import Looks

ENTRY = Entry(id="1", kind="messages", key="c", body="{}", at=0.0)


@attrs.define
class Outbox:
    """Of one entry; it can be neither read nor written while it `fails`."""

    fails: bool = False
    waiting: tuple = (ENTRY,)
    watched: list = attrs.field(factory=list)

    async def _found(self):
        await trio.lowlevel.checkpoint()
        if self.fails:
            raise StorageError("The disk is full.")
        return self.waiting

    async def batch(self, _most):
        return await self._found()

    async def depth(self):
        return Depth(entries=len(await self._found()))

    async def settle(self, _sent, _applied):
        await self._found()
        self.waiting = ()

    async def note_attempt(self, _sent):
        await self._found()

    def watch(self, woken):
        self.watched.append(woken)


@attrs.define
class Supabase:
    """`bug` is raised instead of an answer, once."""

    bug: Exception | None = None

    async def state(self):
        await trio.lowlevel.checkpoint()
        bug, self.bug = self.bug, None
        if bug is not None:
            raise bug
        return HostedState(now=0.0, version=4)

    async def apply(self, entries):
        await trio.lowlevel.checkpoint()
        return tuple(Applied(id=one.id) for one in entries)

    async def sweep(self, _now, _grace_s):
        await trio.lowlevel.checkpoint()
        return 0


class Contents:
    """Nothing is to be sent."""

    sender = SimpleNamespace(try_now=lambda: None, sent=0)

    async def send(self):
        await trio.sleep_forever()

    sweep_results = send


@attrs.define(eq=False, kw_only=True)
class Side(HostedSide):
    """Without HTTP."""

    there: Supabase = attrs.field(factory=Supabase)

    @asynccontextmanager
    async def _open_remote(self):
        yield self.there


@pytest.fixture
def side():
    outbox, remote = Outbox(), GuardedRemote()
    return Side(
        config=Config(),
        now=lambda: 0.0,
        mirror=SimpleNamespace(remote=remote, looks=Looks()),
        outbox=outbox,
        sender=OutboxSender(outbox, remote, lambda: 0.5),
        contents=Contents(),
    )


@asynccontextmanager
async def running(side, house):
    served = trio.Event()
    async with house() as daemon, trio.open_nursery() as background:
        background.start_soon(side.run, daemon.jobs.supervise, served)
        await wait_all_tasks_blocked()
        assert side.schema is None  # what is loaded for it would hold up who begins to serve
        served.set()
        yield daemon
        background.cancel_scope.cancel()


async def test_a_disk_that_fails_for_long_ends_nothing(side, house, caplog, autojump_clock):
    """What waits is sent once the outbox can be read again, and the sender is woken once for what is added."""
    side.outbox.fails = True
    async with running(side, house):
        await trio.sleep(1000)
        before = side.sender.sent
        side.outbox.fails = False
        await trio.sleep(10)

    assert (0, 1, ()) == (before, side.sender.sent, side.outbox.waiting)
    assert [side.sender.wake] == side.outbox.watched
    assert [] == [r for r in caplog.records if r.message in {"job failed", "job gave up"}]


async def test_the_end_does_not_wait_for_a_disk_that_fails(side, autojump_clock):
    """The daemon stops as it would without Supabase."""
    side.outbox.fails = True
    began = trio.current_time()
    await side.finish()

    assert began == trio.current_time()


async def test_a_job_that_fails_takes_nobody_along(side, house, caplog, autojump_clock):
    """It is logged once and runs again: then Supabase is connected after all."""
    side.there.bug = ValueError("a bug")
    async with running(side, house) as daemon:
        await trio.sleep(100)
        troubles = daemon.report.health()["troubles"]

    assert (1, []) == (side.sender.sent, troubles)
    assert 1 == len([r for r in caplog.records if r.message == "job failed"])


async def test_who_asks_after_it_has_been_closed_is_told_so(side, house, autojump_clock):
    """And does not wait for it."""
    async with running(side, house):
        await trio.sleep(1)
    with pytest.raises(HostedAway, match="not connected"):
        await side.mirror.remote.ask(lambda remote: remote.state(), within_s=5.0)
