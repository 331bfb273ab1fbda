"""The daemon's jobs on a disk that fails, and jobs that fail of themselves: said, survived, and over when it is over."""

import threading
from pathlib import Path

import attrs
import pytest
import trio

from exai_trio.daemon.jobs.jobs import Periods, on_disk
from exai_trio.errors import StorageError
from exai_trio.observability.line_file import LineFile
from exai_trio.system import malloc
from exai_trio.wire.messages import CallResult, Health, Progress


@attrs.define
class Shelf:
    """A store's state, as the daemon's facts know it."""

    fault: object = None
    is_full: bool = False
    set_aside: object = None
    journal: object = None
    copied: int = 0

    async def recover(self):
        await trio.lowlevel.checkpoint()

    async def keep_log_short(self):
        await trio.lowlevel.checkpoint()
        self.copied += 1
        raise StorageError("no log")


def with_store(daemon, shelf):
    object.__setattr__(daemon.report, "store", shelf)
    return attrs.evolve(daemon.jobs, periods=Periods())


async def test_a_disk_that_fails_for_long_ends_nothing(house, autojump_clock, caplog):
    """The trouble is logged once, told by health as long as it lasts, and gone by itself."""
    broken = True

    async def write_files():
        await trio.lowlevel.checkpoint()
        if broken:
            raise OSError("Read-only file system")

    async with house() as daemon:
        jobs, facts = daemon.jobs, daemon.report
        async with trio.open_nursery() as running:
            running.start_soon(jobs.supervise, 1.0, on_disk(write_files))
            await trio.sleep(900)
            during = facts.status, facts.health()["troubles"]
            broken = False
            await trio.sleep(2)
            after = facts.status, facts.health()["troubles"]
            running.cancel_scope.cancel()

    assert ("degraded", ["write_files: Read-only file system"]) == during
    assert ("healthy", []) == after
    assert 1 == len([r for r in caplog.records if r.message == "trouble"])
    assert [] == [r for r in caplog.records if r.message == "job failed"]


async def test_a_job_that_gives_up_takes_nobody_along(house, autojump_clock, caplog):
    """It says so, health is degraded for good; calls and the other jobs go on."""

    async def doomed():
        await trio.lowlevel.checkpoint()
        raise ValueError("a bug")

    async with house() as daemon, daemon.connect() as (client, _):
        jobs = daemon.jobs
        daemon.sessions.nursery.start_soon(jobs.supervise, 1.0, doomed)
        await trio.sleep(600)
        await client.nap()
        outcome = await client.hear_until(CallResult)
        await client.say(Health())
        health = (await client.hear()).health

    assert isinstance(outcome, CallResult)
    assert 1 == len([r for r in caplog.records if r.message == "job gave up"])
    assert "degraded" == health["status"]
    assert health["troubles"][0].startswith("doomed: doomed failed 10 times within 600 s")


async def test_a_rare_job_that_fails_again_and_again_is_told(house, autojump_clock):
    """From the third fault in a row on, though it never gives up; one run that succeeds takes it back."""
    broken = True

    async def sweep():
        await trio.lowlevel.checkpoint()
        if broken:
            raise ValueError("a bug")

    async with house() as daemon:
        jobs, facts = daemon.jobs, daemon.report
        daemon.sessions.nursery.start_soon(jobs.supervise, 300.0, sweep)
        await trio.sleep(400)
        twice = facts.health()["troubles"]
        await trio.sleep(300)
        thrice = facts.status, facts.health()["troubles"]
        broken = False
        await trio.sleep(400)
        after = facts.status, facts.health()["troubles"]

    assert [] == twice
    assert ("degraded", ["sweep: failed 3 times in a row: ValueError('a bug')"]) == thrice
    assert ("healthy", []) == after


async def test_the_log_is_looked_at_each_second(house, autojump_clock, caplog):
    """Also when it could not be copied back the last time; that is the store's trouble."""
    shelf = Shelf()
    async with house() as daemon:
        jobs = with_store(daemon, shelf)
        with trio.move_on_after(9.5):
            await jobs.run()

    assert 10 == shelf.copied
    assert [] == [r for r in caplog.records if r.message == "job failed"]


@pytest.mark.parametrize(
    ("shelf", "told"),
    [
        (Shelf(fault=StorageError("cannot be written")), "storage: cannot be written"),
        (Shelf(is_full=True), "storage: The disk is full"),
        (Shelf(set_aside=attrs.make_class("P", ["name"])("x.damaged-1")), "damaged database: "),
    ],
)
async def test_the_store_in_trouble_is_told(house, autojump_clock, shelf, told):
    """By the health answer, and by the state that monitors read."""
    async with house() as daemon:
        await with_store(daemon, shelf).upkeep.look_for_room()
        facts = daemon.report

    assert "degraded" == facts.status == facts.health_file()["status"]
    assert facts.health()["troubles"][0].startswith(told)


async def test_a_state_directory_that_cannot_be_looked_at_is_waited_for(house, autojump_clock):
    """However long: the job that looks for room does not give up."""

    class Hidden(Shelf):
        async def recover(self):
            await super().recover()
            looked.append(trio.current_time())
            raise PermissionError("state")

    looked = []
    async with house() as daemon:
        jobs = with_store(daemon, Hidden())
        with trio.move_on_after(900):  # half as long again as the time in which faults add up
            await jobs.run()

    assert looked[-1] > 890


async def test_what_could_not_be_read_at_the_start_is_taken_up_later(house, autojump_clock):
    """Calls of an earlier daemon run once the journal can be read."""
    async with house() as first:
        async with first.connect(session_id="win") as (client, _):
            await client.nap(seconds=50.0)
            await client.hear()
        journal = first.context.journal
    blocked = Blocked(journal)
    async with house(blocked) as daemon:
        shelf = Shelf(fault=StorageError("cannot be read"))
        jobs = with_store(daemon, shelf)
        await jobs.upkeep.look_for_room()
        before = daemon.naps.started
        shelf.fault, blocked.journal_blocked = None, False
        await jobs.upkeep.look_for_room()
        await trio.sleep(60)
        async with daemon.connect(session_id="win") as (client, ack):
            outcome = await client.hear_until(CallResult)

    assert ack.resumed
    assert isinstance(outcome, CallResult)
    assert (0, 1) == (before, daemon.naps.started)


@attrs.define
class Blocked:
    """A journal that cannot be read at first."""

    journal: object
    journal_blocked: bool = True

    def __getattr__(self, name):
        return getattr(self.journal, name)

    async def unfinished(self):
        if self.journal_blocked:
            raise StorageError("cannot be read")
        return await self.journal.unfinished()


async def test_a_write_that_hangs_ends_with_who_waits_for_it(
    house, autojump_clock, tmp_path, monkeypatch
):
    """A disk that does not answer: the thread is left to it; the next write waits for the first."""
    answers = threading.Event()
    monkeypatch.setattr(LineFile, "flush", lambda _log: answers.wait(30))
    async with house(home=tmp_path) as daemon:
        files = daemon.parts.files
        with trio.move_on_after(5) as hanging:
            await files.flush_call_log()
        with trio.move_on_after(5) as waiting:
            await files.write_health()
        answers.set()
        await files.write_health()

    assert (True, True) == (hanging.cancelled_caught, waiting.cancelled_caught)


async def test_the_daemon_gives_memory_back(house, monkeypatch):
    """At once, and then now and then: what large messages took does not stay with it."""
    given = []
    monkeypatch.setattr(malloc, "trim", lambda: given.append(True))
    async with house(home=Path("/proc/nowhere")) as daemon, trio.open_nursery() as running:
        running.start_soon(attrs.evolve(daemon.jobs, periods=Periods()).run)
        with trio.fail_after(20):
            while not given:  # noqa: ASYNC110  # it comes from a thread
                await trio.sleep(0.01)
        running.cancel_scope.cancel()


async def test_silent_calls_speak_in_time_and_together(house, autojump_clock):
    """None is silent for longer than the interval, however they began; and those that are nearly due speak with the first."""
    interval, last, gaps, moments = 8.0, {}, [], set()
    async with house(progress_interval_s=interval) as daemon, daemon.connect() as (client, _):
        for number in range(8):
            await client.nap(f"r{number}", seconds=200.0)
            await trio.sleep(1.0)
        await trio.sleep(20)
        start = trio.current_time()
        with trio.move_on_after(60):
            while True:
                heard, now = await client.hear_until(Progress), trio.current_time()
                if now > start:
                    gaps.append(now - last.get(heard.request_id, now))
                    moments.add(round(now, 1))
                last[heard.request_id] = now

    assert 8 == len(last)
    assert max(gaps) <= interval
    assert len(moments) <= 3 * 60 / interval
