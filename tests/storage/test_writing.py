"""How writes reach the file: in batches, by one thread, beside which the log is copied back."""

import sqlite3
import threading
import time
from contextlib import closing, contextmanager, nullcontext
from math import inf
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing
from kept_calls import call
from killed import killed_midway

from exai_trio.errors import StorageError
from exai_trio.storage import group_commit
from exai_trio.storage.base import Turn
from exai_trio.storage.group_commit import FLUSH_S, LEAST_FLUSH_S, Write, open_group_commit
from exai_trio.storage.journal import KeptOutcome
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.write_path import (
    LOG_LENGTH,
    LONGEST_LOG,
    QUICK_S,
    Writing,
)


class Open:
    """An open file as the writer sees it."""

    def __init__(self, log):
        self.log, self.fault, self.in_transaction = log, None, False

    def writer(self):
        return self

    def execute(self, statement):
        pass


@pytest.fixture
def writing(tmp_path):
    log = tmp_path / "log"
    log.touch()
    return Writing(Open(log), None, nullcontext)


async def test_a_cancelled_write_that_was_not_accepted_is_not_done():
    """Whoever comes cancelled leaves nothing behind."""
    done = []
    async with open_group_commit(done.extend) as writer:
        with trio.CancelScope() as scope:
            scope.cancel(reason="test")
            await writer.write("cancelled")

    assert [] == done
    assert scope.cancelled_caught


@pytest.mark.parametrize(("leave", "late"), [(False, [5, 6, 7]), (True, [])])
async def test_who_finds_the_queue_full_is_not_accepted_until_there_is_room(
    monkeypatch, leave, late
):
    """Whoever leaves before that has written nothing; what was accepted is written in batches of bounded length."""
    monkeypatch.setattr(group_commit, "QUEUE_LENGTH", 4)
    monkeypatch.setattr(group_commit, "BATCH_LENGTH", 2)
    begun, hold, batches = threading.Event(), threading.Event(), []

    def commit(batch):
        begun.set()
        hold.wait(5)
        batches.append([write.work for write in batch])

    async with open_group_commit(commit) as writer:
        async with trio.open_nursery() as asking:
            asking.start_soon(writer.write, 0)
            await trio.to_thread.run_sync(begun.wait)
            for number in range(1, 8):
                asking.start_soon(writer.write, number)
                await trio.testing.wait_all_tasks_blocked()
            if leave:
                asking.cancel_scope.cancel(reason="test")
            else:
                hold.set()
        hold.set()

    written = [number for batch in batches for number in batch]
    assert [0, 1, 2, 3, 4] == written[:5]
    assert late == sorted(written[5:])
    assert 2 == max(map(len, batches))


def nothing(_):
    pass


class NoCommit(Open):
    """An open file of which no transaction comes to its end."""

    def execute(self, statement):
        if statement == "COMMIT":
            raise StorageError("test")


def test_a_failed_commit_fails_each_write_that_has_no_fault_of_its_own(writing):
    """Until a commit succeeds the store is in trouble, for the reason that the last one gave."""
    well, writing.opened = writing.opened, NoCommit(writing.opened.log)
    batch = [Write(lambda _: 1 / 0), Write(nothing)]
    writing.commit(batch)
    well.fault = trouble = writing.opened.fault
    writing.opened = well
    writing.commit([Write(nothing)])

    assert [ZeroDivisionError, StorageError] == [type(write.fault) for write in batch]
    assert trouble is batch[1].fault
    assert well.fault is None


@contextmanager
def mapped():
    try:
        yield
    except OSError as fault:
        raise StorageError("test") from fault


def test_a_log_that_cannot_be_looked_at_fails_no_write(writing):
    """What was asked for is written; there is nothing to shorten."""
    writing.mapped = mapped
    writing.opened.log.unlink()
    write = Write(nothing)
    writing.commit([write])

    assert (None, None) == (write.fault, writing.opened.fault)


@pytest.mark.real
async def test_a_long_frame_is_compressed(tmp_path):
    """It comes back as it was, also after a hand-over; the file is much shorter than it."""
    path = tmp_path / "exai.db"
    long, longer = "long ü " * 100_000, "longer ö " * 100_000
    ended = KeptOutcome(seq=2, frame=longer, at=1.0)
    async with open_sqlite(tmp_path / "empty.db"):
        pass
    async with open_sqlite(path) as store:
        journal = store.journal()
        await journal.accept(call("1", frame="x" * 60_000))
        await journal.accept(call("2", frame=long))
        await journal.finish("s", "2", ended)
        await journal.hand_over("s", "1", ended, call("3", frame=long))
        found = await journal.session("s")

    assert ["x" * 60_000, long, long] == [kept.frame for kept in found.calls]
    assert [ended, ended, None] == [kept.outcome for kept in found.calls]
    assert path.stat().st_size - (tmp_path / "empty.db").stat().st_size < 200_000


async def lengthen(store, enough):
    """One write that makes the log longer than that."""
    turn = Turn(role="user", text="x" * 500_000, tool="chat", at=0.0)
    await store.append("c", (turn,) * (enough // 500_000 + 1), now=0.0, expires_at=1.0)


def log_of(path):
    return path.with_name(f"{path.name}-wal").stat().st_size


@pytest.mark.real
@pytest.mark.parametrize(
    ("written", "left"), [(LOG_LENGTH, LOG_LENGTH), (LONGEST_LOG, 0)], ids=["long", "far too long"]
)
async def test_a_log_that_is_far_too_long_is_copied_back_by_the_writer(tmp_path, written, left):
    """SQLite itself, which would do it on the loop, never does."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await lengthen(store, written)
        length = log_of(path)
        (by_itself,) = await store._writer.write(
            lambda connection: connection.execute("PRAGMA wal_autocheckpoint").fetchone()
        )

    assert left < length < left + LOG_LENGTH
    assert by_itself == 0


@pytest.mark.real
async def test_a_long_log_is_copied_back_beside_the_writer(tmp_path, mock_clock):
    """Others write meanwhile; then the log is begun anew."""
    path, hold = tmp_path / "exai.db", threading.Event()
    async with open_sqlite(path) as store:
        await lengthen(store, LOG_LENGTH)

        def slowly():
            hold.wait(10)
            store._copy_back()

        async with trio.open_nursery() as copying:
            copying.start_soon(attrs.evolve(store, copy_back=slowly).keep_log_short)
            await trio.testing.wait_all_tasks_blocked()
            meanwhile = await store._writer.write(lambda _: "written")
            hold.set()
        length = log_of(path)

    assert "written" == meanwhile
    assert length < LOG_LENGTH


@pytest.mark.real
@pytest.mark.parametrize(
    ("seconds", "meanwhile", "begun_anew"),
    [
        (QUICK_S / 2, True, True),
        (QUICK_S * 2, True, False),
        (QUICK_S / 2, False, True),
        (QUICK_S * 2, False, True),
    ],
)
async def test_a_log_is_begun_anew_without_waiting_for_a_slow_disk(
    tmp_path, mock_clock, seconds, meanwhile, begun_anew
):
    """What came while it was copied, the writer itself copies only if the disk is quick."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await lengthen(store, LOG_LENGTH)

        def slowly():
            with closing(sqlite3.connect(path, isolation_level=None)) as reader:
                if meanwhile:  # who reads what was there before keeps the rest from being copied
                    reader.execute("BEGIN")
                    reader.execute("SELECT count(*) FROM journal_calls").fetchall()
                    trio.from_thread.run(store.journal().accept, call("meanwhile"))
                store._copy_back()
            trio.from_thread.run_sync(mock_clock.jump, seconds)

        await attrs.evolve(store, copy_back=slowly).keep_log_short()
        length = log_of(path)

    assert begun_anew == (length < LOG_LENGTH)


@pytest.mark.real
async def test_a_newer_files_version_is_left_alone(tmp_path):
    """A successor has taken the steps of its own EXAI while this one still writes: nothing that is tried out takes them back."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        with closing(sqlite3.connect(path)) as newer:
            newer.execute("PRAGMA user_version = 1000")
        await lengthen(store, LONGEST_LOG)
        await lengthen(store, LOG_LENGTH)
        await store.keep_log_short()
        with closing(sqlite3.connect(path)) as newer:
            (version,) = newer.execute("PRAGMA user_version").fetchone()

    assert 1000 == version


@pytest.mark.real
async def test_a_log_is_copied_back_wherever_its_file_is(tmp_path, monkeypatch):
    """A relative path, and signs that mean something in an address."""
    monkeypatch.chdir(tmp_path)
    path = Path("a ?#%41", "exai.db")
    async with open_sqlite(path) as store:
        await lengthen(store, LOG_LENGTH)
        await store.keep_log_short()
        length = log_of(path)

    assert length < LOG_LENGTH


@pytest.mark.real
async def test_a_short_log_is_left_alone(tmp_path):
    """Nobody asks the disk for it."""
    copied = []
    async with open_sqlite(tmp_path / "exai.db") as store:
        await attrs.evolve(store, copy_back=lambda: copied.append(1)).keep_log_short()

    assert [] == copied


@pytest.mark.real
async def test_a_write_waits_for_another_processs_lock(tmp_path):
    """It is done once the lock is gone; SQLite itself, which could not be cut, does not wait."""
    path, seen = tmp_path / "exai.db", []
    async with open_sqlite(path) as store:
        (patience,) = await store._writer.write(
            lambda connection: connection.execute("PRAGMA busy_timeout").fetchone()
        )

        async def write():
            await store.journal().accept(call("1"))
            seen.append("written")

        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with trio.open_nursery() as asking:
                asking.start_soon(write)
                await trio.testing.wait_all_tasks_blocked()
                seen.append("freed")
                other.execute("ROLLBACK")

    assert ["freed", "written"] == seen
    assert patience == 0


@pytest.mark.parametrize(
    ("left", "takes"),
    [(inf, FLUSH_S), (60.0, FLUSH_S), (2.0, 2.0), (0.1, LEAST_FLUSH_S), (-1.0, LEAST_FLUSH_S)],
)
async def test_a_flush_that_does_not_end_takes_what_time_its_owner_has(autojump_clock, left, takes):
    """A little at least, and never very long."""

    def commit(_):
        while True:
            time.sleep(0.001)
            trio.from_thread.check_cancelled()

    with trio.CancelScope() as program:
        async with open_group_commit(commit) as writer, trio.open_nursery() as asking:
            asking.start_soon(writer.write, nothing)
            await trio.testing.wait_all_tasks_blocked()
            begun = trio.current_time()
            writer.flush_by = begun + left
            program.cancel(reason="test")
    took = trio.current_time() - begun

    assert pytest.approx(takes) == took


@pytest.mark.real
async def test_the_flush_at_the_end_does_not_wait_on_for_another_processs_lock(
    tmp_path, autojump_clock
):
    """What cannot be written in the time that is left is refused, and who asked for it is told; later it is as it was before."""
    path, refusals = tmp_path / "exai.db", []

    async def ask(journal):
        with trio.CancelScope(shield=True), pytest.raises(StorageError) as refusal:
            await journal.accept(call("1"))
        refusals.append(refusal.value.message)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        async with trio.open_nursery() as asking, open_sqlite(path) as store:
            other.execute("BEGIN IMMEDIATE")
            asking.start_soon(ask, store.journal())
            await trio.testing.wait_all_tasks_blocked()
            store.flush_by(0.0)
        other.execute("ROLLBACK")
    async with open_sqlite(path) as store:
        await store.journal().accept(call("2"))
        found = await store.journal().session("s")

    assert ["The store was closed before this could be written."] == refusals
    assert ["2"] == [kept.request for kept in found.calls]


CHILD = """
import sys, trio
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kept_calls import call
from exai_trio.storage.sqlite.store import open_sqlite

async def main():
    async with open_sqlite(Path(sys.argv[1])) as store:
        number = 0
        while True:
            number += 1
            await store.journal().accept(call(str(number), frame="x" * 800))
            print(number, flush=True)

trio.run(main)
"""


@pytest.mark.real
async def test_a_kill_loses_nothing_that_was_written(tmp_path):
    """After kill -9 every call that was accepted is there."""
    path = tmp_path / "exai.db"
    accepted = await killed_midway(CHILD, path)
    async with open_sqlite(path) as store:
        found = await store.journal().session("s")

    kept = {int(kept.request) for kept in found.calls}
    assert len(accepted) >= 200
    assert set(accepted) <= kept
