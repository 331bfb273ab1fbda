"""Waiting for a disk: until it takes what it is given, and no longer than anybody wants it."""

import threading
from functools import partial

import attrs
import pytest
import trio

from exai_trio.errors import StorageError
from exai_trio.system.disk import DiskThread, fault_of, until_written


@attrs.define
class Disk:
    """Refuses so many times."""

    refusals: int = 0
    asked: int = 0

    async def write(self):
        await trio.lowlevel.checkpoint()
        self.asked += 1
        if self.asked <= self.refusals:
            raise StorageError("The disk is full.")


async def test_a_write_is_tried_until_the_disk_takes_it(autojump_clock, caplog):
    """Once each second, and each refusal is logged by the name of what is written."""
    disk, start = Disk(refusals=3), trio.current_time()
    await until_written(disk.write, "outcome")

    assert (4, 3.0) == (disk.asked, trio.current_time() - start)
    assert ["outcome"] * 3 == [record.what for record in caplog.records]


async def test_a_write_that_nobody_waits_for_is_given_up(autojump_clock):
    """Who cancels ends the attempts too."""
    disk = Disk(refusals=99)
    with trio.move_on_after(1.5):
        await until_written(disk.write, "run")
    await trio.sleep(10)

    assert 2 == disk.asked


async def test_another_fault_is_no_reason_to_wait(autojump_clock):
    """It is raised at once: only the store's word means that it may work later."""

    async def broken():
        await trio.lowlevel.checkpoint()
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await until_written(broken, "outcome")


async def test_a_refusal_of_the_store_is_a_value():
    """And None if there is none."""
    refused, done = await fault_of(Disk(refusals=1).write), await fault_of(Disk().write)

    assert ("The disk is full.", None) == (refused.message, done)


async def test_a_disk_that_hangs_holds_up_the_next_write_and_nobody_else():
    """Who cancels is free at once; the thread finishes alone, and only then the next write begins."""
    thread, answers, began, written = DiskThread(), threading.Event(), threading.Event(), []

    def hang():
        began.set()
        answers.wait(30)
        written.append("first")

    async with trio.open_nursery() as writing:
        async with trio.open_nursery() as hanging:
            hanging.start_soon(thread.run, hang)
            await trio.to_thread.run_sync(partial(began.wait, 30))
            hanging.cancel_scope.cancel()
        writing.start_soon(thread.run, written.append, "second")
        await trio.testing.wait_all_tasks_blocked()
        before = list(written)
        answers.set()

    assert [] == before
    assert ["first", "second"] == written
