"""The log of calls as real files before a real database: kills, disks that are full or read-only, older files."""

import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
from kept_calls import call, outcome
from killed import HERE, killed_midway

from exai_trio.errors import StorageError
from exai_trio.storage.append_log.files import DiskFiles
from exai_trio.storage.append_log.log import open_call_log
from exai_trio.storage.append_log.segments import Segment
from exai_trio.storage.sqlite.error_kinds import NotOurs
from exai_trio.storage.sqlite.file import upgrade
from exai_trio.storage.sqlite.file.schema import STEPS
from exai_trio.storage.sqlite.store import check_ours, open_sqlite


@asynccontextmanager
async def opened(path, **how):
    async with (
        open_sqlite(path, lasting=True, **how) as store,
        open_call_log(path, store, **how) as logged,
    ):
        yield logged


async def requests_in(journal):
    found = await journal.session("s")
    return [kept.request for kept in found.calls] if found else []


def logs(path):
    return sorted(p.name for p in path.parent.iterdir() if ".calls-" in p.name)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "exai.db"


async def test_a_record_is_written_by_the_loop(path, monkeypatch):
    """In the step in which it is asked for; over power loss by the thread, which waits for the disk."""
    threads, flushed = [], []
    append, flush = Segment.append, os.fdatasync
    is_main = threading.main_thread()

    def noting(segment, body):
        threads.append(threading.current_thread() is is_main)
        return append(segment, body)

    monkeypatch.setattr(Segment, "append", noting)
    monkeypatch.setattr(os, "fdatasync", lambda file: flushed.append(flush(file)))
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
        await logged.journal.finish("s", "1", outcome())
    async with opened(path, over_power_loss=True) as logged:
        await logged.journal.accept(call("2"))

    assert [True, True, False] == threads
    assert flushed


async def test_what_waits_is_flushed_by_the_end_of_the_process(path):
    """By the log and by the database behind it."""
    async with opened(path) as logged:
        logged.flush_by(1.0)

        assert (1.0, 1.0) == (logged._commits.flush_by, logged.store._writer.flush_by)


async def test_the_files_are_for_their_owner_only(path):
    """In a directory that is, too; each begins with the name of the database."""
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
        modes = [stat.S_IMODE(path.with_name(name).stat().st_mode) for name in logs(path)]
        names = logs(path)

    assert ["exai.db.calls-1"] == names
    assert [0o600] == modes
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)


async def test_a_log_goes_when_it_is_folded(path):
    """What stood in it is in the database."""
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
        await logged.journal.fold()
        names = logs(path)
    with closing(sqlite3.connect(path)) as behind:
        rows = behind.execute("SELECT request FROM journal_calls").fetchall()

    assert ["exai.db.calls-2"] == names
    assert [("1",)] == rows


async def test_a_torn_file_is_kept_aside(path, caplog):
    """Whoever can read more of it may."""
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
    log = path.with_name("exai.db.calls-1")
    content = log.read_bytes() + b"torn"
    log.write_bytes(content)
    async with opened(path) as logged:
        found = await requests_in(logged.journal)
        await logged.journal.fold()

    assert ["1"] == found
    assert content == path.with_name("exai.db.calls-1.damaged").read_bytes()
    assert "the end of the call log is torn" in caplog.text


async def test_long_records_are_read_again(path):
    """Also those that are longer than what is read at once."""
    async with opened(path) as logged:
        for request in "12":
            await logged.journal.accept(call(request, frame="x" * 3_000_000))
        await logged.journal.accept(call("3"))
    async with opened(path) as logged:
        found = await logged.journal.session("s")

    assert [3_000_000, 3_000_000, 2] == [len(kept.frame) for kept in found.calls]


async def test_what_a_commit_has_is_not_folded_again(path):
    """A daemon that was killed before it could remove the segment."""
    aside = path.with_name("aside")
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
        await logged.journal.run_again("s", "1")
        shutil.copy(path.with_name("exai.db.calls-1"), aside)
        await logged.journal.fold()
    aside.rename(path.with_name("exai.db.calls-1"))
    async with opened(path) as logged:
        names = logs(path)
        found = await logged.journal.session("s")

    assert ["exai.db.calls-2", "exai.db.calls-3"] == names
    assert [2] == [kept.attempts for kept in found.calls]


BEFORE_THE_LOG = STEPS[: next(n for n, step in enumerate(STEPS) if "journal_folded" in step[0])]


async def test_an_older_database_is_taken_over_in_place(path, monkeypatch):
    """With the calls that are open in it; then the version before refuses it in words."""
    monkeypatch.setattr(upgrade, "STEPS", BEFORE_THE_LOG)
    async with open_sqlite(path) as store:
        with closing(sqlite3.connect(path)) as older:
            (tables,) = older.execute(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'journal_folded'"
            ).fetchone()
        await store.journal().accept(call("1"))
    monkeypatch.undo()
    async with opened(path) as logged:
        await logged.journal.finish("s", "1", outcome())
        await logged.journal.accept(call("2"))
        found = await logged.journal.session("s")
    monkeypatch.setattr(upgrade, "STEPS", BEFORE_THE_LOG)
    with pytest.raises(NotOurs, match="Upgrade EXAI"):
        check_ours(path)

    assert 0 == tables
    assert [call("1", outcome=outcome()), call("2")] == list(found.calls)


async def test_a_damaged_database_costs_no_call_that_is_in_the_log_alone(path):
    """It is set aside, and the log is folded into a fresh one."""
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
    path.write_bytes(b"not a database " * 100)
    async with opened(path) as logged:
        found = await requests_in(logged.journal)

    assert ["1"] == found
    assert "exai.db.damaged-1" == logged.set_aside.name


async def test_a_home_that_somebody_removed_is_written_anew(path):
    """Database and log, with all that they held; a kill right afterwards loses nothing of it."""
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
        await logged.journal.fold()
        await logged.journal.accept(call("2"))
        shutil.rmtree(path.parent)
        await logged.recover()
        await logged.journal.accept(call("3"))
        later = path.parent.with_name("later") / path.name
        shutil.copytree(path.parent, later.parent)  # what a kill would leave
    async with opened(later) as left:
        found = await requests_in(left.journal)

    assert ["1", "2", "3"] == found


async def test_a_home_that_cannot_be_written_anew_refuses_calls(path):
    """Until it can be."""
    async with opened(path) as logged:
        await logged.journal.accept(call("1"))
        shutil.rmtree(path.parent)
        path.parent.write_text("in the way")
        await logged.recover()
        with pytest.raises(StorageError, match="EXAI_HOME"):
            await logged.journal.accept(call("2"))
        fault = logged.fault
        path.parent.unlink()
        await logged.recover()
        healed = logged.fault
        await logged.journal.accept(call("3"))
        found = await requests_in(logged.journal)

    assert (True, None) == (isinstance(fault, StorageError), healed)
    assert ["1", "3"] == found


async def test_another_file_is_no_segment(path):
    """Only names that the log itself gives are looked at."""
    path.parent.mkdir()
    for name in ("exai.db.calls-x", "exai.db.calls-1.damaged", "other.calls-1"):
        path.with_name(name).write_bytes(b"x")

    assert [] == DiskFiles(path).numbers()
    assert [] == DiskFiles(path.parent / "none" / "exai.db").numbers()


def test_a_record_that_does_not_fit_leaves_nothing(path, monkeypatch):
    """A piece of it is cut off again; so is what a failing disk may have written."""
    write, file = os.pwritev, DiskFiles(path).make(1)
    file.write(b"head", b"body", 0)

    def half(descriptor, parts, place):
        return write(descriptor, [b"".join(parts)[:5]], place)

    def fails(*arguments):
        half(*arguments)
        raise OSError(errno.EIO, "test")

    left = []
    for how in (half, fails):
        monkeypatch.setattr(os, "pwritev", how)
        with pytest.raises(OSError, match=r"space|test"):
            file.write(b"head", b"body", 8)
        left.append(file.length())
    file.close()

    assert [8, 8] == left


async def test_with_flushes_a_new_file_is_in_its_directory(path, monkeypatch):
    """Its name survives a power cut as well."""
    flushed, flush = [], os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda one: flushed.append(Path(f"/proc/self/fd/{one}").readlink()) or flush(one),
    )
    DiskFiles(path, flushes=True).make(1).close()
    DiskFiles(path).make(2).close()

    assert [path.parent] == flushed


CHILD = """
import sys, trio
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kept_calls import call, outcome
from exai_trio.storage.append_log.log import open_call_log
from exai_trio.storage.sqlite.store import open_sqlite

async def tidy(logged):
    while True:
        await logged.keep_log_short()
        await trio.sleep(0.001)

async def main(path):
    async with open_sqlite(path) as store, open_call_log(path, store) as logged, trio.open_nursery() as background:
        logged.journal.appender.segments.sealed_at = 5_000
        background.start_soon(tidy, logged)
        number = 0
        while True:
            number += 1
            await logged.journal.accept(call(str(number), seq=2 * number, frame="x" * 800))
            if number % 3:
                await logged.journal.finish("s", str(number), outcome())
            print(number, flush=True)
            await trio.sleep(0)

trio.run(main, Path(sys.argv[1]))
"""


@pytest.mark.real
async def test_a_kill_loses_nothing_that_was_noted(path):
    """After kill -9, while segments are sealed, folded and removed: every call and every outcome is there once."""
    noted = await killed_midway(CHILD, path)
    async with opened(path) as logged:
        found = await logged.journal.session("s")
        with closing(sqlite3.connect(path)) as behind:
            folded = behind.execute("SELECT segment FROM journal_folded").fetchone()

    kept = {int(one.request): one.outcome is not None for one in found.calls}
    assert len(noted) >= 200
    assert {number: bool(number % 3) for number in noted}.items() <= kept.items()
    assert len(kept) == len(found.calls)
    assert folded[0] > 1


TMPFS = """
import subprocess, sys, trio
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kept_calls import call, outcome
from exai_trio.errors import StorageError
from exai_trio.storage.append_log.log import open_call_log
from exai_trio.storage.sqlite.store import open_sqlite

async def refused(journal, numbers, size):
    count = 0
    for number in numbers:
        try:
            await journal.accept(call(str(number), frame="x" * size))
        except StorageError:
            count += 1
    return count

def fill(home):
    filler = open(home / "filler", "wb", buffering=0)
    try:
        while filler.write(bytes(65536)) == 65536:
            pass
    except OSError:
        pass
    return filler

def remount(how):
    subprocess.run(["mount", "-o", "remount," + how, sys.argv[1]], check=True)

async def main(home):
    if sys.argv[3] == "read-only":
        remount("ro")
    async with open_sqlite(home / "exai.db", lasting=True) as store, open_call_log(home / "exai.db", store) as logged:
        journal = logged.journal
        if sys.argv[3] == "read-only":
            at_start = await refused(journal, [0], 10)
            remount("rw")
            await logged.recover()
            print(at_start, await refused(journal, range(1, 5), 10), len((await journal.session("s")).calls))
        else:
            await refused(journal, range(20), 10)
            filler = fill(home)
            count = await refused(journal, range(20, 60), 20_000)
            for number in range(20):
                await journal.finish("s", str(number), outcome(20_000))
            full = logged.is_full
            filler.truncate(0)
            await logged.recover()
            await journal.accept(call("late"))
            found = await journal.session("s")
            print(count > 30, full, logged.is_full, sum(c.outcome is not None for c in found.calls))

trio.run(main, Path(sys.argv[1]))
"""


@pytest.mark.real
@pytest.mark.parametrize(
    ("disk", "said"), [("full", "True True False 20\n"), ("read-only", "1 0 4\n")]
)
def test_a_really_troubled_disk(tmp_path, disk, said):
    """A file system of 16 MiB that is filled to the brim, or that is read-only at the start: calls are refused, outcomes kept,
    and all is well afterwards."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    script = 'mount -t tmpfs -o size=16m none "$0" && exec "$1" -c "$2" "$0" "$3" "$4"'
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(mounted), sys.executable, TMPFS, HERE, disk],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    if "unshare" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("no file system of our own can be mounted here")

    assert (said, "") == (ran.stdout, ran.stderr)


async def test_what_the_loop_could_not_write_the_thread_does(path, monkeypatch):
    """It waits for the disk, and other tasks go on; all is there in the order in which it was asked for."""
    hold, append = threading.Event(), Segment.append

    def slow(segment, body):
        if threading.current_thread() is threading.main_thread():
            raise OSError("test")
        hold.wait(5)
        return append(segment, body)

    async with opened(path) as logged:
        monkeypatch.setattr(Segment, "append", slow)
        async with trio.open_nursery() as asking:
            for request in "123":
                asking.start_soon(logged.journal.accept, call(request))
                await trio.testing.wait_all_tasks_blocked()
            hold.set()
        found = await requests_in(logged.journal)

    assert ["1", "2", "3"] == found


async def test_who_is_cancelled_while_the_thread_writes_leaves_the_record_known(path, monkeypatch):
    """It is folded before its segment goes."""
    hold, append = threading.Event(), Segment.append

    def slow(segment, body):
        if threading.current_thread() is threading.main_thread():
            raise OSError("test")
        hold.wait(5)
        return append(segment, body)

    async with opened(path) as logged:
        monkeypatch.setattr(Segment, "append", slow)
        async with trio.open_nursery() as asking:
            asking.start_soon(logged.journal.accept, call("1"))
            await trio.testing.wait_all_tasks_blocked()
            asking.cancel_scope.cancel(reason="test")
        hold.set()
        await logged.journal.fold()
        found = await requests_in(logged.journal)

    assert ["1"] == found
