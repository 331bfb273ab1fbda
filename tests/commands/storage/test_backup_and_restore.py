"""`exai storage backup`, `restore` and `check`: a home in one file, and back."""

import gzip
import hashlib
import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from io import BytesIO

import attrs
import pytest
import trio

from exai_trio.bus.message_bus import MessageBus
from exai_trio.bus.payload_files import path_of
from exai_trio.commands.options import parser
from exai_trio.commands.storage.backup_home import backup
from exai_trio.commands.storage.check_home import Home, found_in
from exai_trio.commands.storage.last_backup import last_backup
from exai_trio.commands.storage.restore_home import restore
from exai_trio.config import Config
from exai_trio.daemon.process.home_lock import own_home
from exai_trio.errors import (
    ArgumentError,
    NotFoundError,
    ServiceUnavailableError,
    StorageError,
)
from exai_trio.principals import OWNER
from exai_trio.storage.base import Turn
from exai_trio.storage.journal import KeptCall
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.system.clock import unix_now

ID = "11111111-2222-4333-8444-555555555555"
TEXT = "a large result\n" * 100_000


@attrs.frozen
class Place:
    """A home whose daemon has its store open, and a place for the backup."""

    config: Config
    store: object
    bus: MessageBus
    archive: object

    async def put(self):
        return await self.bus.put(TEXT, len(TEXT), principal=OWNER, session="s", request="r")

    async def say(self, number):
        turn = Turn(role="user", text=f"turn {number}", tool="chat", at=unix_now())
        await self.store.append(ID, (turn,), unix_now(), unix_now() + 1_000)


@pytest.fixture
async def place(tmp_path):
    config = Config(home=tmp_path / "home")
    async with open_sqlite(config.state / "exai.db") as store:
        bus = MessageBus(SqlitePayloads(store), config.home / "bus", unix_now)
        found = Place(config, store, bus, tmp_path / "backup.tgz")
        await found.say(0)
        (config.home / "files" / "objects" / "ab").mkdir(parents=True)
        (config.home / "files" / "objects" / "ab" / "abcd").write_bytes(b"an upload")
        yield found


async def at(config):
    """The turns and the large results of a home."""
    async with open_sqlite(config.state / "exai.db") as store:
        found = await store.load(ID, unix_now())
        bus = MessageBus(SqlitePayloads(store), config.home / "bus", unix_now)
        rows = await bus.rows.all()
        texts = [await bus.text(row) for row in rows if row.status == "stored"]
        return [turn.text for turn in found.turns], texts


async def test_a_backup_while_others_write_is_of_one_moment(place):
    """Everything that was committed before is in it; what comes meanwhile is in it or not, and what is in it is whole."""
    await place.put()
    done = trio.Event()

    async def write():
        number = 0
        while not done.is_set():
            number += 1
            await place.say(number)
            if number % 20 == 0:
                await place.put()

    async with trio.open_nursery() as writing:
        writing.start_soon(write)
        await trio.to_thread.run_sync(backup, place.config, place.archive)
        done.set()
    other = attrs.evolve(place.config, home=place.config.home.with_name("other"))
    restore(other, place.archive)
    turns, texts = await at(other)

    assert [f"turn {number}" for number in range(len(turns))] == turns
    assert texts[0] == TEXT
    assert {TEXT} == set(texts)
    assert b"an upload" == (other.home / "files/objects/ab/abcd").read_bytes()
    assert [] == found_in(Home(other.home, full=True))


async def test_a_backup_is_for_its_owner_alone(place):
    """And never in the place of another file; the home notes it."""
    backup(place.config, place.archive)

    assert 0o600 == place.archive.stat().st_mode & 0o777
    assert str(place.archive) == last_backup(place.config.state).file
    assert ["backup.tgz", "home"] == sorted(path.name for path in place.archive.parent.iterdir())
    with pytest.raises(ArgumentError, match="is there already"):
        backup(place.config, place.archive)


async def test_what_is_not_whole_yet_is_left_out(place):
    """An upload that is being stored, and a result that is being written."""
    for name in ("files/objects/ab/abcd.1.part", "bus/ab/txn_ab.new"):
        (place.config.home / name).parent.mkdir(parents=True, exist_ok=True)
        (place.config.home / name).write_bytes(b"half")
    contents = backup(place.config, place.archive)

    assert ["files/objects/ab/abcd", "state/exai.db"] == sorted(contents.files)


async def test_restoring_puts_aside_what_was_there(place):
    """Nobody's work is deleted by it."""
    await place.put()
    backup(place.config, place.archive)
    await place.say(1)
    await place.put()
    kept = attrs.evolve(place.config, home=place.config.home.with_name("copy"))
    shutil.copytree(place.config.home, kept.home)
    _, aside = restore(kept, place.archive)

    assert (["turn 0"], [TEXT]) == await at(kept)
    before = attrs.evolve(place.config, home=aside)
    assert (["turn 0", "turn 1"], [TEXT, TEXT]) == await at(before)
    _, second = restore(kept, place.archive)
    assert second != aside


async def test_calls_that_ran_are_not_run_again_by_a_restore(place):
    """Those that had ended can still be asked for."""
    call = KeptCall(
        session="s", request='"r"', principal=OWNER, resumable=True, seq=1, frame="{}", roots=(), timeout=9.0, at=1.0,
    )  # fmt: skip
    await place.store.journal().accept(call)
    backup(place.config, place.archive)
    other = attrs.evolve(place.config, home=place.config.home.with_name("other"))
    restore(other, place.archive)
    async with open_sqlite(other.state / "exai.db") as store:
        assert () == tuple(await store.journal().unfinished())
    assert ("s",) == tuple(await place.store.journal().unfinished())


async def test_a_daemon_that_runs_keeps_its_home(place):
    backup(place.config, place.archive)
    with own_home(place.config), pytest.raises(ServiceUnavailableError):
        restore(place.config, place.archive)

    assert (["turn 0"], []) == await at(place.config)


def changed(archive, change):
    """The same archive with something else in it."""
    data = BytesIO(gzip.decompress(archive.read_bytes()))
    with tarfile.open(fileobj=data) as tar:
        members = [(info, tar.extractfile(info).read()) for info in tar]
    archive.unlink()
    with tarfile.open(archive, "w:gz") as tar:
        for info, content in change(members):
            info.size = len(content)
            tar.addfile(info, BytesIO(content))


def _bit(members):
    (info, content), *rest = members
    return [(info, content[:-1] + bytes([content[-1] ^ 1])), *rest]


def _outside(members):
    info = tarfile.TarInfo("files/../../outside")
    return [(info, b"x"), *members]


def _other_place(members):
    return [(tarfile.TarInfo("state/ws_token"), b"x"), *members]


def _of_no_file(members):
    return [(tarfile.TarInfo("."), b"x"), *members]


def _no_name(members):
    name = "bus/a\0b/" + 100 * "c"
    info = tarfile.TarInfo("bus/a")
    info.pax_headers = {"path": name}
    return [(info, b"x"), *members]


def _without_list(members):
    return members[:-1]


def _without_database(members):
    return [(info, content) for info, content in members if info.name != "state/exai.db"]


@pytest.mark.parametrize(
    "change",
    [_bit, _outside, _other_place, _of_no_file, _no_name, _without_list, _without_database],
    ids=lambda change: change.__name__,
)
async def test_what_is_no_whole_backup_changes_nothing(place, change):
    backup(place.config, place.archive)
    changed(place.archive, change)
    with pytest.raises(StorageError):
        restore(place.config, place.archive)

    assert (["turn 0"], []) == await at(place.config)
    assert not (place.config.home / "restore.new").exists()
    assert [] == list(place.archive.parent.rglob("outside"))


@pytest.mark.parametrize(
    "content", [b"", b"no archive", gzip.compress(b"x" * 1_000)], ids=["empty", "text", "gzip"]
)
async def test_another_file_is_refused(place, content):
    place.archive.write_bytes(content)
    with pytest.raises(StorageError, match="no whole archive"):
        restore(place.config, place.archive)
    with pytest.raises(NotFoundError):
        restore(place.config, place.archive.with_name("none"))


async def test_a_backup_cut_short_is_refused(place):
    await place.put()
    backup(place.config, place.archive)
    whole = place.archive.read_bytes()
    for twelfths in range(12):
        length = len(whole) * twelfths // 12
        place.archive.write_bytes(whole[:length])
        with pytest.raises(StorageError):
            restore(place.config, place.archive)

    assert (["turn 0"], [TEXT]) == await at(place.config)


async def test_a_newer_backup_is_refused(place):
    backup(place.config, place.archive)

    def newer(members):
        path = place.config.home.parent / "newer.db"
        for info, content in members:
            if info.name == "state/exai.db":
                path.write_bytes(content)
                with closing(sqlite3.connect(path)) as database:
                    database.execute("PRAGMA user_version = 900")
        listed = json.loads(members[-1][1])
        data = path.read_bytes()
        import hashlib

        listed["files"]["state/exai.db"] = {
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        return [
            (info, data if info.name == "state/exai.db" else content)
            for info, content in members[:-1]
        ] + [(members[-1][0], json.dumps(listed).encode())]

    changed(place.archive, newer)
    with pytest.raises(StorageError, match="newer EXAI"):
        restore(place.config, place.archive)


async def test_a_home_without_a_database_has_nothing_to_back_up(tmp_path):
    with pytest.raises(NotFoundError):
        backup(Config(home=tmp_path), tmp_path / "b")

    assert [] == found_in(Home(tmp_path, full=True))


async def test_check_names_each_fault(place):
    """A file that is gone, one that is too short, one with a bit that differs."""
    rows = [await place.put() for _ in range(3)]
    assert [] == found_in(Home(place.config.home, full=False))
    paths = [path_of(place.config.home / "bus", row.transaction_id) for row in rows]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-3])
    data = paths[2].read_bytes()
    paths[2].write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    faults = found_in(Home(place.config.home, full=False))

    assert 3 == len(faults)
    assert {row.transaction_id for row in rows} == {
        next(word.rstrip(":") for word in fault.split() if word.startswith("txn_"))
        for fault in faults
    }


async def test_check_looks_at_files_and_counts(place):
    """A content that is gone, one with a bit that differs, a count that is not that of the rows; a copy of what others share may be gone."""
    objects = place.config.objects
    names = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("whole", "gone", "bad", "copy")}  # fmt: skip
    for name in ("whole", "bad"):
        path = objects / names[name][:2] / names[name]
        path.parent.mkdir(exist_ok=True)
        path.write_text("BAD" if name == "bad" else name)
    await place.store.write(
        lambda c: c.executemany(
            "INSERT INTO provider_file_uploads (provider, account, purpose, sha256, file_id, filename, file_size_bytes,"
            " upload_status, last_used, created_at, is_hosted, reference_count)"
            " VALUES ('kimi', 'a', 'p', ?1, ?1, 'f', 5, 'completed', 0, 0, ?2, ?3)",
            [(sha256, name == "copy", name == "whole") for name, sha256 in names.items()],
        )
    )
    faults = found_in(Home(place.config.home, full=True))

    assert 3 == len(faults)
    for words in ("reference_count", f"{names['gone']} is missing", f"{names['bad']} is not what"):
        assert any(words in fault for fault in faults)


async def test_check_says_what_the_file_system_has_done(place):
    """A database that is damaged is one fault, not a crash; --json and the exit code say so too."""
    home = place.config.home.with_name("damaged")
    shutil.copytree(place.config.home, home, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    (home / "state/exai.db").write_bytes(b"SQLite format 3\x00" + b"?" * 5_000)

    assert found_in(Home(home, full=False))[0].startswith("database: ")
    asked = parser().parse_args(["storage", "check", "--json", "--full"])
    assert (True, True) == (asked.json, asked.full)
