"""When a record is written by the loop, when by the thread, and what becomes of it if it cannot be."""

import errno
import random

import attrs
import pytest
from logs_in_memory import MemoryDisk, NoRoom

from exai_trio.errors import StorageError
from exai_trio.storage.append_log.appender import SLOW_S, Appender
from exai_trio.storage.append_log.segments import Segments
from exai_trio.storage.group_commit import Write
from exai_trio.storage.sqlite.error_kinds import DiskFull


@attrs.define(eq=False)
class SlowDisk(MemoryDisk):
    """A write takes as long as told."""

    takes: float = 0.0
    now: float = 0.0

    def check(self):
        self.now += self.takes
        super().check()

    def time(self):
        return self.now


@pytest.fixture
def disk():
    return SlowDisk()


@pytest.fixture
def appender(disk):
    segments = Segments(disk)
    segments.writable()
    return Appender(segments, NoRoom(None), clock=disk.time)


def by_thread(appender, *bodies):
    """Returns the faults."""
    batch = [Write(lambda segments, body=body: segments.append(body)) for body in bodies]
    appender.commit(batch)
    return [write.fault for write in batch]


def kept(disk):
    segments = Segments(disk)
    segments.find(0)
    return [bytes(body) for _, body in segments.records()]


def test_after_a_slow_write_the_thread_writes_until_one_is_quick(appender, disk):
    """A disk that is slow holds up the loop once."""
    asked = [appender.append_at_once(b"quick")]
    disk.takes = SLOW_S * 2
    asked += [appender.append_at_once(b"slow"), appender.append_at_once(b"not written")]
    by_thread(appender, b"slow as well")
    asked.append(appender.append_at_once(b"not written"))
    disk.takes = SLOW_S / 2
    by_thread(appender, b"quick again")
    asked.append(appender.append_at_once(b"the loop's"))

    assert [True, True, False, False, True] == [place is not None for place in asked]
    assert [b"quick", b"slow", b"slow as well", b"quick again", b"the loop's"] == kept(disk)


def test_a_clock_that_has_run_for_long_makes_no_write_slow(appender, disk):
    disk.now = 1_000.0
    asked = [appender.append_at_once(b"1"), appender.append_at_once(b"2")]

    assert None not in asked


def test_what_fails_on_the_loop_is_the_threads_until_it_succeeds(appender, disk):
    """It says what is wrong."""
    disk.fault = errno.EIO
    at_once = appender.append_at_once(b"1")
    (fault,) = by_thread(appender, b"1")
    disk.fault = 0
    still = appender.append_at_once(b"1")
    by_thread(appender, b"2")
    again = appender.append_at_once(b"3")

    assert (None, None) == (at_once, still)
    assert "EXAI_HOME" in fault.message
    assert again
    assert [b"2", b"3"] == kept(disk)


def test_the_ballast_makes_room_for_a_second_try(appender, disk):
    """Once; then the disk is full."""

    class Some(NoRoom):
        def spend(self):
            first = not self.spent
            disk.room += 100 * first
            self.spent = True
            return first

    appender.reserve = Some(None)
    disk.room = 0
    faults = by_thread(appender, b"x" * 60, b"x" * 60, b"y")

    assert [type(None), DiskFull, type(None)] == [type(fault) for fault in faults]
    assert [b"x" * 60, b"y"] == kept(disk)


def test_a_fault_of_ours_is_its_askers_alone(appender, disk):
    """The disk is well."""
    write = Write(lambda _: 1 / 0)
    appender.commit([write, Write(lambda segments: segments.append(b"1"))])

    assert isinstance(write.fault, ZeroDivisionError)
    assert appender.fault is None
    assert [b"1"] == kept(disk)


def test_with_flushes_all_is_the_threads_and_waits_for_the_disk(appender, disk):
    """One flush for all that waits."""
    appender.segments.flushes = True
    at_once = appender.append_at_once(b"1")
    faults = by_thread(appender, b"1", b"2", b"3")

    assert at_once is None
    assert [None] * 3 == faults
    assert (1, [b"1", b"2", b"3"]) == (disk.flushes, kept(disk))


@pytest.mark.parametrize("rolled", [False, True])
def test_what_the_disk_could_not_flush_is_not_there(appender, disk, monkeypatch, rolled):
    """Nobody was told that it is."""
    appender.segments.flushes = True
    by_thread(appender, b"before")

    def fails(file):
        if not rolled or file.number > 1:
            raise OSError(errno.EIO, "test")

    batch = [Write(lambda segments: segments.append(b"1")), Write(lambda s: s.append(b"2"))]
    if rolled:
        batch.insert(1, Write(Segments.roll))
    with monkeypatch.context() as patch:
        patch.setattr(type(disk.files[1]), "flush", fails)
        appender.commit(batch)
    told = [isinstance(write.fault, StorageError) for write in batch]
    by_thread(appender, b"after")

    assert all(told)
    assert [b"before", *([b"1"] if rolled else []), b"after"] == kept(disk)


def test_what_is_sealed_was_flushed(appender, disk):
    """Nobody writes there any more, nor asks for it again."""
    appender.segments.flushes = True
    appender.commit([Write(lambda s: s.append(b"1")), Write(Segments.roll)])
    disk.lose_power(random.Random(1))  # noqa: S311 - no secret

    assert [b"1"] == kept(disk)
