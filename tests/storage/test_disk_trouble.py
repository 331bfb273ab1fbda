"""A disk that is full, a file that is damaged or locked: the store says so, and recovers by itself where it can."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from kept_calls import call, outcome

from exai_trio.errors import StorageError
from exai_trio.storage.space_reserve import SpaceReserve
from exai_trio.storage.sqlite.error_kinds import Damaged, DiskFull, NotOurs, Unreadable
from exai_trio.storage.sqlite.file.quarantine import marker, note
from exai_trio.storage.sqlite.store import open_sqlite

pytestmark = pytest.mark.real


def test_the_reserve_takes_its_room_once(tmp_path):
    """It is there, private, and of its size; a second time changes nothing."""
    reserve = SpaceReserve(tmp_path / "ballast", size=100_000)

    assert reserve.restore()
    assert reserve.restore()
    assert (100_000, 0o600) == (reserve.path.stat().st_size, reserve.path.stat().st_mode & 0o777)
    assert not reserve.spent


def test_the_reserve_can_be_spent_once(tmp_path):
    """The second time there is nothing to give back; then it is restored."""
    reserve = SpaceReserve(tmp_path / "ballast", size=100_000)
    reserve.restore()

    assert [True, False] == [reserve.spend(), reserve.spend()]
    assert reserve.spent
    assert reserve.restore()
    assert not reserve.spent


@attrs.frozen
class Room:
    """A small disk, as the system tells of it: so many blocks of 1,000 bytes are free."""

    f_bavail: int
    f_frsize: int = 1000


def test_a_reserve_that_does_not_fit_is_not_taken(tmp_path, monkeypatch):
    """There must be room for twice as much, or the next write would be the one that fails."""
    reserve = SpaceReserve(tmp_path / "ballast", size=100_000)

    monkeypatch.setattr(os, "statvfs", lambda _: Room(199))
    assert not reserve.restore()
    assert reserve.spent
    assert not reserve.path.exists()

    monkeypatch.setattr(os, "statvfs", lambda _: Room(200))
    assert reserve.restore()
    assert not reserve.spent


def test_a_reserve_of_another_size_is_taken_again(tmp_path):
    """An older version's, or one that a full disk cut short."""
    reserve = SpaceReserve(tmp_path / "ballast", size=10_000)
    reserve.path.write_bytes(b"short")

    assert reserve.restore()
    assert 10_000 == reserve.path.stat().st_size


def test_a_reserve_that_is_there_needs_no_more_room(tmp_path, monkeypatch):
    """A disk that has filled up since does not take it away."""
    reserve = SpaceReserve(tmp_path / "ballast", size=10_000)
    reserve.restore()
    full = SimpleNamespace(f_bavail=0, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _: full)

    assert reserve.restore()
    assert not reserve.spent


def test_a_reserve_that_did_not_fit_leaves_nothing_behind(tmp_path, monkeypatch):
    """The room that it got until then is for others."""

    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    reserve = SpaceReserve(tmp_path / "ballast", size=10_000)

    assert not reserve.restore()
    assert reserve.spent
    assert [] == list(tmp_path.iterdir())


def test_where_no_reserve_can_be_kept_nobody_is_refused(tmp_path):
    """A directory that is gone is another trouble than a full disk, also if the reserve was spent on one before."""
    reserve = SpaceReserve(tmp_path / "gone" / "ballast", spent=True)

    assert not reserve.restore()
    assert not reserve.spent


async def test_on_a_full_disk_the_reserve_makes_room_for_outcomes(tmp_path, monkeypatch):
    """The write that met the full disk succeeds; new calls are refused until there is room again, outcomes are kept."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        journal = store.journal()
        await journal.accept(call())
        writer = await store._writer.write(lambda connection: connection)
        monkeypatch.setattr(store._writing.reserve.__class__, "spend", _lifting(writer))
        await store._writer.write(_no_more_pages)
        await journal.finish("s", "1", outcome(200_000))
        full = store.is_full
        with pytest.raises(DiskFull):
            await journal.accept(call("2"))
        monkeypatch.undo()
        await store.recover()
        await journal.accept(call("2"))
        found = await journal.session("s")

    assert full
    assert [outcome(200_000), None] == [kept.outcome for kept in found.calls]


def _no_more_pages(connection):
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()


def _lifting(connection):
    def spend(reserve):
        connection.execute("PRAGMA max_page_count = 1000000").fetchone()
        first = not reserve.spent
        reserve.spent = True
        return first

    return spend


async def test_when_even_the_reserve_is_spent_the_write_fails(tmp_path):
    """As a StorageError that says so; what was kept before can still be read."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        journal = store.journal()
        await journal.accept(call())
        await store._writer.write(_no_more_pages)
        with pytest.raises(DiskFull, match="disk is full"):
            await journal.finish("s", "1", outcome(200_000))
        found = await journal.session("s")

    assert (call(),) == found.calls


async def test_a_damaged_file_is_set_aside_and_not_overwritten(tmp_path):
    """The daemon gets a fresh store; each damaged file keeps its content under a name of its own."""
    path = tmp_path / "exai.db"
    kept = []
    for content in (b"not a database " * 100, b"nor this one " * 100):
        path.write_bytes(content)
        async with open_sqlite(path, lasting=True) as store:
            await store.journal().accept(call())
            kept.append((store.set_aside.name, store.set_aside.read_bytes() == content))
    async with open_sqlite(path, lasting=True) as store:
        found = await store.journal().session("s")

    assert [("exai.db.damaged-1", True), ("exai.db.damaged-2", True)] == kept
    assert store.set_aside is None
    assert (call(),) == found.calls


async def _damaged(path):
    """A file with broken content that opens all the same. Returns that content."""
    async with open_sqlite(path):
        pass
    sound = path.stat().st_size
    async with open_sqlite(path) as store:
        for number in range(50):
            await store.journal().accept(call(str(number), frame="x" * 4000))
    content = path.read_bytes()
    broken = content[:sound] + os.urandom(len(content) - sound)
    path.write_bytes(broken)
    return broken


async def test_damage_found_in_use_is_left_behind_at_once(tmp_path):
    """The read that meets it fails; the next write goes to a fresh file, reads too, and the old one is kept as it was."""
    path = tmp_path / "exai.db"
    broken = await _damaged(path)
    async with open_sqlite(path, lasting=True) as store:
        with pytest.raises(Damaged):
            await store.journal().session("s")
        await store.journal().accept(call("new"))
        found = await store.journal().session("s")
        fault = store.fault
    async with open_sqlite(path, lasting=True) as again:
        kept = await again.journal().session("s")

    assert (call("new"),) == found.calls == kept.calls
    assert fault is None
    assert ("exai.db.damaged-1", True) == (store.set_aside.name, store.set_aside.read_bytes() == broken)  # fmt: skip
    assert again.set_aside is None


async def test_a_write_that_meets_damage_is_done_in_a_fresh_file(tmp_path):
    """Whoever writes does not notice; what ends a call of the old file is of nobody any more."""
    path = tmp_path / "exai.db"
    await _damaged(path)
    async with open_sqlite(path, lasting=True) as store:
        for number in range(50, 60):
            await store.journal().accept(call(str(number), frame="x" * 4000))
        found = await store.journal().session("s")
        await store.journal().finish("s", "1", outcome())
        after = await store.journal().session("s")

    assert found == after
    assert [str(number) for number in range(50, 60)] == [kept.request for kept in found.calls]
    assert "exai.db.damaged-1" == store.set_aside.name


async def test_damage_that_sqlite_cannot_even_tell_of_is_set_aside(tmp_path):
    """Its message quotes the schema, in which a byte is broken: that is no text."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await store.journal().accept(call())
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"CREATE TABLE journal_calls", b"CREATE \xd4ABLE journal_calls")
    )
    with pytest.raises(Damaged, match="sets it aside"):
        async with open_sqlite(path):
            pass
    async with open_sqlite(path, lasting=True) as store:
        await store.journal().accept(call("new"))
        found = await store.journal().session("s")

    assert (call("new"),) == found.calls
    assert "exai.db.damaged-1" == store.set_aside.name


BROKEN = {
    "list": "UPDATE journal_calls SET roots = 'x['",
    "kind": "UPDATE journal_calls SET roots = '[7]'",
    "text": "UPDATE journal_calls SET frame = CAST(x'7BFF7D' AS TEXT)",
    "packed": "UPDATE journal_calls SET packed = x'00'",
    "unpacked": "UPDATE journal_calls SET packed = x'789CFB0F0001000100'",
    "packed as text": "UPDATE journal_calls SET packed = CAST(x'FFFE' AS TEXT)",
    "nothing": "UPDATE journal_calls SET roots = NULL",
    "no name": "UPDATE journal_calls SET session = NULL",
    "outcome": "UPDATE journal_outcomes SET packed = x'00'",
    "name": "UPDATE journal_calls SET session = CAST(x'FF' AS TEXT)",
}


def _loosen(path):
    """A flipped bit asks for no type: the next connection may write anything."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(replace(sql, 'STRICT', ''), 'NOT NULL', '') WHERE sql LIKE '%STRICT%'"
        )


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_a_row_that_cannot_be_decoded_costs_its_session_only(tmp_path, broken):
    """SQLite does not notice it: the file is well, stays where it is, and gives all others."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path, lasting=True) as store:
        journal, other = store.journal(), call(session="t")
        await journal.accept(call())
        await journal.accept(call("2", frame="x" * 100_000))
        await journal.finish("s", "1", outcome())
        await journal.accept(other)
        _loosen(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as behind:
            behind.execute(f"{broken} WHERE session = 's'")
        unfinished = await journal.unfinished()
        kept = fault = None
        try:
            kept = await journal.session("s")
        except Unreadable as unreadable:
            fault = unreadable
        found = await journal.session("t")
        names = await journal.names(other.principal)
        await store.recover()

    assert "t" in unfinished
    assert ("t", "1") in names
    assert kept is None
    assert (fault is None) == ("SET session" in broken)
    assert (other,) == found.calls
    assert (None, None) == (store.set_aside, store.fault)


async def test_a_schema_that_breaks_in_use_is_left_behind_by_the_next_write(tmp_path):
    """Also where SQLite's message of it is no text."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path, lasting=True) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA writable_schema = ON")
            other.execute(
                "UPDATE sqlite_schema SET sql = CAST(x'43524541544520D441424C45' AS TEXT)"
                " WHERE name = 'journal_calls'"
            )
            other.execute("PRAGMA schema_version = 1000")
        await store.journal().accept(call("new"))
        found = await store.journal().session("s")

    assert (call("new"),) == found.calls
    assert "exai.db.damaged-1" == store.set_aside.name


async def test_recovering_leaves_damage_behind_without_a_writer(tmp_path):
    """The job that looks for room is enough."""
    path = tmp_path / "exai.db"
    await _damaged(path)
    async with open_sqlite(path, lasting=True) as store:
        with pytest.raises(Damaged):
            await store.journal().session("s")
        await store.recover()
        fresh = await store.journal().unfinished()

    assert ((), "exai.db.damaged-1") == (fresh, store.set_aside.name)


async def test_damage_noted_before_a_kill_is_left_behind_at_the_next_start(tmp_path):
    """The marker tells."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await store.journal().accept(call())
    note(path)
    async with open_sqlite(path, lasting=True) as store:
        fresh = await store.journal().unfinished()

    assert ((), "exai.db.damaged-1") == (fresh, store.set_aside.name)
    assert not marker(path).exists()


async def test_a_file_that_cannot_be_opened_is_tried_again(tmp_path):
    """Until then everything is refused with a cure; then it is as if nothing had been. Root too cannot write below a file."""
    blocked = tmp_path / "home"
    blocked.write_text("in the way")
    async with open_sqlite(blocked / "exai.db", lasting=True) as store:
        with pytest.raises(StorageError, match="EXAI_HOME"):
            await store.journal().accept(call())
        with pytest.raises(StorageError, match="EXAI_HOME"):
            await store.journal().session("s")
        await store.recover()
        before = store.fault
        blocked.unlink()
        await store.recover()
        after = store.fault
        await store.journal().accept(call())
        found = await store.journal().session("s")

    assert isinstance(before, StorageError)
    assert after is None
    assert (call(),) == found.calls


@pytest.mark.parametrize("removed", [("",), ("", "-wal", "-shm"), ("", "-wal")])
async def test_a_file_that_was_removed_is_written_anew(tmp_path, removed):
    """With all that it held, and what was written before anybody noticed; a kill right afterwards loses nothing of it."""
    path, later = tmp_path / "state" / "exai.db", tmp_path / "later" / "exai.db"
    async with open_sqlite(path, lasting=True) as store:
        await store.journal().accept(call("1"))
        for ending in removed:
            path.with_name(path.name + ending).unlink()
        await store.journal().accept(call("2"))
        await store.recover()
        await store.journal().finish("s", "1", outcome())
        await store.journal().accept(call("3"))
        shutil.copytree(path.parent, later.parent)  # what a kill would leave
    async with open_sqlite(later) as left:
        found = await left.journal().session("s")

    assert ["1", "2", "3"] == [kept.request for kept in found.calls]
    assert [True, False, False] == [kept.outcome is not None for kept in found.calls]


async def test_a_file_that_was_removed_and_cannot_be_written_anew_refuses_calls(tmp_path):
    """What cannot be kept is not accepted; once the directory can be made again, all is as before."""
    path = tmp_path / "state" / "exai.db"
    async with open_sqlite(path, lasting=True) as store:
        await store.journal().accept(call("1"))
        shutil.rmtree(path.parent)
        path.parent.write_text("in the way")
        await store.recover()
        with pytest.raises(StorageError, match="EXAI_HOME"):
            await store.journal().accept(call("2"))
        path.parent.unlink()
        await store.recover()
        await store.journal().accept(call("3"))
        found = await store.journal().session("s")

    assert ["1", "3"] == [kept.request for kept in found.calls]


async def test_a_copy_that_breaks_off_is_not_taken_for_the_file(tmp_path):
    """It is made again until it is whole."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path, lasting=True) as store:
        await store.journal().accept(call("1"))
        path.unlink()
        path.with_name("exai.db.new").mkdir()
        await store.recover()
        broken_off = path.exists()
        path.with_name("exai.db.new").rmdir()
        await store.recover()
        whole = path.exists()
        found = await store.journal().session("s")

    assert (False, True) == (broken_off, whole)
    assert ["1"] == [kept.request for kept in found.calls]


async def test_without_lasting_a_file_that_cannot_be_opened_is_refused(tmp_path):
    """A command says so at once."""
    (tmp_path / "home").write_text("in the way")

    with pytest.raises(StorageError):
        async with open_sqlite(tmp_path / "home" / "exai.db"):
            pass


async def test_another_programs_database_is_never_set_aside(tmp_path):
    """It is not damaged, only not ours."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await store._writer.write(lambda c: c.execute("PRAGMA application_id = 7").fetchall())
    with pytest.raises(NotOurs, match="another program"):
        async with open_sqlite(path, lasting=True):
            pass

    assert ["exai.db", "exai.db.ballast"] == sorted(p.name for p in tmp_path.iterdir())


TMPFS = """
import sys, trio
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kept_calls import call, outcome
from exai_trio.storage.sqlite.error_kinds import DiskFull
from exai_trio.storage.sqlite.store import open_sqlite

async def main(home):
    async with open_sqlite(home / "exai.db") as store:
        journal = store.journal()
        for number in range(20):
            await journal.accept(call(str(number)))
        filler = open(home / "filler", "wb", buffering=0)
        try:
            while filler.write(bytes(65536)) == 65536:
                pass
        except OSError:
            pass
        refused = 0
        for number in range(20, 60):
            try:
                await journal.accept(call(str(number), frame="x" * 20_000))
            except DiskFull:
                refused += 1
        for number in range(20):
            await journal.finish("s", str(number), outcome(20_000))
        full = store.is_full
        filler.truncate(0)
        await store.recover()
        await journal.accept(call("late"))
        found = await journal.session("s")
        print(refused > 30, full, store.is_full, sum(c.outcome is not None for c in found.calls))

trio.run(main, Path(sys.argv[1]))
"""


def test_a_really_full_disk(tmp_path):
    """On a file system of 16 MiB that is filled to the brim: calls are refused, outcomes kept, and all is well afterwards."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=16m none "$0" && exec "$1" -c "$2" "$0" "$3"'
    here = str(Path(__file__).parent)
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(disk), sys.executable, TMPFS, here],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    if "mount" in ran.stderr or "unshare" in ran.stderr:
        pytest.skip("no file system of our own can be mounted here")

    assert ("True True False 20\n", "") == (ran.stdout, ran.stderr)


READ_ONLY = """
import subprocess, sys, trio
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kept_calls import call, outcome
from exai_trio.errors import StorageError
from exai_trio.storage.sqlite.store import open_sqlite

def remount(how):
    subprocess.run(["mount", "-o", "remount," + how, sys.argv[1]], check=True)

async def refused(journal, request):
    try:
        await journal.accept(call(request))
    except StorageError as fault:
        return "EXAI_HOME" in fault.message
    return False

async def main(home):
    remount("ro")
    async with open_sqlite(home / "exai.db", lasting=True) as store:
        journal = store.journal()
        at_start = await refused(journal, "1")
        remount("rw")
        await journal.accept(call("2"))
        print(at_start, store.fault, len((await journal.session("s")).calls))

trio.run(main, Path(sys.argv[1]))
"""


def test_a_really_read_only_disk(tmp_path):
    """A home that is read-only when the daemon starts is used as soon as it can be written, also by root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=16m none "$0" && exec "$1" -c "$2" "$0" "$3"'
    here = str(Path(__file__).parent)
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(disk), sys.executable, READ_ONLY, here],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    if "unshare" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("no file system of our own can be mounted here")

    assert ("True None 1\n", "") == (ran.stdout, ran.stderr)
