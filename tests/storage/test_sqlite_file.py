"""What only the SQLite store promises: the file, its schema, faults, cancellation, kills."""

import os
import sqlite3
import stat
import threading
from contextlib import closing, contextmanager
from functools import partial

import pytest
import trio
import trio.testing
from killed import killed_midway

from exai_trio.errors import StorageError
from exai_trio.storage.base import Turn
from exai_trio.storage.group_commit import open_group_commit
from exai_trio.storage.sqlite import store as sqlite_store
from exai_trio.storage.sqlite.file import schema
from exai_trio.storage.sqlite.file.connections import BUSY_MS, connect
from exai_trio.storage.sqlite.store import open_sqlite

pytestmark = pytest.mark.real

FOR_EVER = 1e12


def said(text):
    return (Turn(role="user", text=text, tool="chat", at=1.0),)


def alter(path, statement):
    """Change the file behind the store's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


@contextmanager
def locked(path):
    """Hold the write lock, as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")


async def refusal(path):
    """The message with which the store refuses to open `path`."""
    with pytest.raises(StorageError) as refused:
        async with open_sqlite(path):
            pass
    return refused.value.message


async def test_file_is_for_its_owner_only(tmp_path):
    """The file, its log files and a directory made for it can be read by nobody else."""
    path = tmp_path / "state" / "exai.db"
    async with open_sqlite(path) as store:
        await store.append("c", said("secret"), now=0, expires_at=1)
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}

    names = ("exai.db", "exai.db-wal", "exai.db-shm", "exai.db.ballast")
    assert dict.fromkeys(names, 0o600) == modes
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path):
    """An older file with a wider mode is narrowed when it is opened."""
    path = tmp_path / "exai.db"
    path.touch(mode=0o644)
    async with open_sqlite(path):
        mode = stat.S_IMODE(path.stat().st_mode)

    assert mode == 0o600


async def test_conversations_survive_a_restart(tmp_path):
    """What one life of the store wrote, the next one reads; closing left no log file behind."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await store.append("c", said("before"), now=0, expires_at=FOR_EVER)
    left = sorted(p.name for p in tmp_path.iterdir())
    async with open_sqlite(path) as store:
        found = await store.load("c", now=1)

    assert ["exai.db", "exai.db.ballast"] == left
    assert said("before") == found.turns


async def test_a_write_that_crashes_is_its_askers_alone(tmp_path):
    """The writer goes on, and what the same batch has beside it is kept."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        with pytest.raises(ZeroDivisionError):
            await store._writer.write(lambda _: 1 / 0)
        after = await store._writer.write(
            lambda connection: connection.execute("SELECT 1").fetchone()
        )

    assert (1,) == after


async def test_a_newer_schema_is_refused(tmp_path):
    """A file of a newer EXAI is refused with both versions and a remedy, and left as it was."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path):
        pass
    alter(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    message = await refusal(path)

    assert "schema 99" in message
    assert "Upgrade EXAI" in message
    assert before == path.read_bytes()


async def test_another_programs_database_is_refused(tmp_path):
    """A database that EXAI did not make is not written to."""
    path = tmp_path / "exai.db"
    alter(path, "CREATE TABLE theirs (x)")
    message = await refusal(path)

    assert "another program" in message


async def test_older_schema_is_upgraded(tmp_path, monkeypatch):
    """A file of an older EXAI takes the missing steps, once, and keeps its conversations."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await store.append("c", said("kept"), now=0, expires_at=FOR_EVER)
    later = (*schema.STEPS, ("CREATE TABLE journal (x)",))
    monkeypatch.setattr("exai_trio.storage.sqlite.file.upgrade.STEPS", later)
    for _ in range(2):
        async with open_sqlite(path) as store:
            found = await store.load("c", now=1)

    assert said("kept") == found.turns


async def test_a_failed_upgrade_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    """The steps of an upgrade are taken together or not at all."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path):
        pass
    with monkeypatch.context() as patch:
        patch.setattr(
            "exai_trio.storage.sqlite.file.upgrade.STEPS",
            (*schema.STEPS, ("CREATE TABLE half (x)", "NONSENSE")),
        )
        message = await refusal(path)
        patch.setattr(
            "exai_trio.storage.sqlite.file.upgrade.STEPS",
            (*schema.STEPS, ("CREATE TABLE half (x)",)),
        )
        async with open_sqlite(path) as store:
            found = await store.load("c", now=1)

    assert "NONSENSE" in message
    assert found is None


async def test_a_damaged_file_is_refused(tmp_path):
    """A file that is no database is a StorageError that says to move it away."""
    path = tmp_path / "exai.db"
    path.write_bytes(b"not a database, but long enough to look like one" * 20)
    message = await refusal(path)

    assert "move it away" in message


async def test_damage_found_later_fails_that_read_only(tmp_path):
    """A page that is destroyed while the store is open is a StorageError; closing still works."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path):
        pass
    sound = path.stat().st_size
    async with open_sqlite(path) as store:
        await store.append("c", said("x" * 50_000), now=0, expires_at=FOR_EVER)
    content = path.read_bytes()
    path.write_bytes(content[:sound] + os.urandom(len(content) - sound))
    async with open_sqlite(path) as store:
        with pytest.raises(StorageError):
            await store.load("c", now=1)


@pytest.mark.parametrize("path", ["directory", "file/below"])
async def test_a_path_that_cannot_be_a_file_is_refused(tmp_path, path):
    """Where no file can be made, the error names the path and the setting."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    message = await refusal(tmp_path / path)

    assert str(tmp_path / path) in message
    assert "EXAI_HOME" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_read_only_file_is_refused(tmp_path):
    """A file that may not be written is a StorageError at the start, not at the first answer."""
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    message = await refusal(home / "exai.db")

    assert "EXAI_HOME" in message


async def test_a_file_that_became_read_only_is_a_storage_error(tmp_path):
    """A write that SQLite does not allow any more is a StorageError; reading goes on."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        await store._writer.write(lambda c: c.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(StorageError):
            await store.append("c", said("x"), now=0, expires_at=FOR_EVER)
        found = await store.load("c", now=1)

    assert found is None


def test_a_lock_is_waited_for_as_long_as_is_said(tmp_path):
    """Not for as long as SQLite's binding would."""
    with closing(connect(tmp_path / "exai.db")) as connection:
        (waits,) = connection.execute("PRAGMA busy_timeout").fetchone()

    assert BUSY_MS == waits


async def test_a_lock_held_elsewhere_is_a_storage_error(tmp_path, monkeypatch):
    """A write that another process keeps from the file fails as retryable, and works when the lock is gone."""
    monkeypatch.setattr("exai_trio.storage.sqlite.file.connections.BUSY_MS", 20)
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        with locked(path), pytest.raises(StorageError) as refused:
            await store.append("c", said("x"), now=0, expires_at=FOR_EVER)
        count = await store.append("c", said("x"), now=0, expires_at=FOR_EVER)

    assert refused.value.retryable
    assert "lock" in refused.value.message
    assert count == 1


async def test_a_full_disk_fails_the_write_and_keeps_what_was_there(tmp_path):
    """A write that finds no room is a StorageError; earlier turns stay, later small ones work."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await store.append("c", said("small"), now=0, expires_at=FOR_EVER)
        await store._writer.write(lambda c: c.execute("PRAGMA max_page_count = 30").fetchall())
        with pytest.raises(StorageError) as refused:
            await store.append("c", said("x" * 500_000), now=0, expires_at=FOR_EVER)
        count = await store.append("c", said("y"), now=0, expires_at=FOR_EVER)

    assert "full" in refused.value.message
    assert count == 2


def begin_conversation(name, connection):
    """Two statements, of which b's second one fails."""
    connection.execute(
        "INSERT INTO conversations (id, created_at, expires_at) VALUES (?, 0, 9)", (name,)
    )
    created_at = None if name == "b" else 1
    return connection.execute(
        "UPDATE conversations SET created_at = ? WHERE id = ?", (created_at, name)
    ).rowcount


async def test_one_bad_write_spoils_no_other(tmp_path):
    """Of writes committed together only the one that fails is undone."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        outcomes = {}

        async def attempt(name, work):
            try:
                outcomes[name] = await store._writer.write(work)
            except StorageError as fault:
                outcomes[name] = fault

        async with trio.open_nursery() as writing:
            for name in ("a", "b", "c"):
                writing.start_soon(attempt, name, partial(begin_conversation, name))
        found = [await store.load(name, now=1) is not None for name in ("a", "b", "c")]

    assert isinstance(outcomes.pop("b"), StorageError)
    assert {"a": 1, "c": 1} == outcomes
    assert [True, False, True] == found


async def test_waiting_writes_become_one_batch():
    """While a batch is being written, what arrives is gathered and committed together."""
    sizes, hold = [], threading.Event()

    def commit(batch):
        sizes.append(len(batch))
        hold.wait(5)

    async with open_group_commit(commit) as writer, trio.open_nursery() as writing:
        for _ in range(40):
            writing.start_soon(writer.write, len)
        await trio.testing.wait_all_tasks_blocked()
        hold.set()

    assert sum(sizes) == 40
    assert len(sizes) <= 2


async def test_closing_flushes_what_was_accepted(tmp_path):
    """Writes whose waiters are cancelled with the whole program are done, and done whole, when the store has closed."""
    path = tmp_path / "exai.db"
    with trio.CancelScope() as program:
        async with open_sqlite(path) as store, trio.open_nursery() as writing:
            for number in range(20):
                writing.start_soon(store.append, f"c{number}", said("a") + said("b"), 0, FOR_EVER)
            await trio.testing.wait_all_tasks_blocked()
            program.cancel(reason="test")
    async with open_sqlite(path) as store:
        found = [await store.load(f"c{number}", now=1) for number in range(20)]

    assert [said("a") + said("b")] * 20 == [conversation.turns for conversation in found]


async def test_closing_flushes_what_waits_behind_a_batch():
    """Writes that were accepted while a batch was being written are done too when the program is cut."""
    done, hold = [], threading.Event()

    def commit(batch):
        hold.wait(5)
        done.extend(batch)

    with trio.CancelScope() as program:
        async with open_group_commit(commit) as writer, trio.open_nursery() as writing:
            writing.start_soon(writer.write, len)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(300):
                writing.start_soon(writer.write, len)
            await trio.testing.wait_all_tasks_blocked()
            program.cancel(reason="test")
            hold.set()

    assert len(done) == 301


async def test_a_closed_store_says_so(tmp_path):
    """Using a store after its block is a StorageError, not a hang."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        pass

    with pytest.raises(StorageError):
        await store.append("c", said("x"), 0, FOR_EVER)
    with pytest.raises(StorageError):
        await store.load("c", 0)


async def test_a_broken_commit_wakes_its_waiters():
    """When the writer itself fails, nobody waits for it for ever."""

    def commit(batch):
        raise ZeroDivisionError

    refused = []

    async def attempt(writer):
        try:
            with trio.CancelScope(shield=True):
                await writer.write(len)
        except StorageError as fault:
            refused.append(fault)

    with pytest.RaisesGroup(ZeroDivisionError):
        async with open_group_commit(commit) as writer:
            await attempt(writer)

    assert len(refused) == 1


class CancelAtStep(trio.abc.Instrument):
    def __init__(self, scope, step):
        self.scope, self.left = scope, step

    def after_task_step(self, task):
        self.left -= 1
        if self.left == 0:
            self.scope.cancel(reason="test")


async def test_cancelling_at_any_step_leaves_whole_exchanges(tmp_path):
    """Wherever a program is cut, the next one opens the file and finds exchanges of two turns or none."""
    step, completed = 0, False
    while not completed:
        step += 1
        path = tmp_path / f"{step}.db"
        with trio.CancelScope() as scope:
            instrument = CancelAtStep(scope, step)
            trio.lowlevel.add_instrument(instrument)
            try:
                async with open_sqlite(path) as store, trio.open_nursery() as writing:
                    for _ in range(3):
                        writing.start_soon(store.append, "c", said("a") + said("b"), 0, FOR_EVER)
            finally:
                trio.lowlevel.remove_instrument(instrument)
        completed = not scope.cancel_called
        async with open_sqlite(path) as store:
            found = await store.load("c", now=1)
        turns = found.turns if found else ()

        assert said("a") * 0 + (said("a") + said("b")) * (len(turns) // 2) == turns

    assert step > 5
    assert len(turns) == 6


CHILD = """
import sys, trio
from pathlib import Path
from exai_trio.storage.base import Turn
from exai_trio.storage.sqlite.store import open_sqlite

async def main():
    async with open_sqlite(Path(sys.argv[1])) as store:
        turn = (Turn(role="user", text="x" * 800, tool="chat", at=1.0),)
        while True:
            print(await store.append("c", turn, 0, 1e12), flush=True)

trio.run(main)
"""


async def test_a_kill_loses_nothing_acknowledged(tmp_path):
    """After kill -9 every turn that append had answered for is there."""
    path = tmp_path / "exai.db"
    acknowledged = await killed_midway(CHILD, path)
    async with open_sqlite(path) as store:
        found = await store.load("c", now=1)

    assert list(range(1, len(acknowledged) + 1)) == acknowledged
    assert len(found.turns) >= len(acknowledged)


async def test_a_row_is_looked_up_where_it_is_asked_for_unless_the_disk_was_slow(
    tmp_path, monkeypatch
):
    """After one slow look the next are a thread's, for a hundred times as long as it took."""
    now = [0.0]
    async with open_sqlite(tmp_path / "exai.db") as store:
        monkeypatch.setattr(sqlite_store.trio, "current_time", lambda: now[0])

        async def looked(seconds=0.0):
            def look(connection):
                now[0] += seconds
                connection.execute("SELECT 1").fetchone()
                return threading.current_thread() is threading.main_thread()

            return await store.read_by_key(look)

        quick, slow = await looked(), await looked(1.0)
        now[0] += 99
        resting = await looked()
        now[0] += 2
        again = await looked()

    assert [True, True, False, True] == [quick, slow, resting, again]


async def test_a_look_waits_for_who_reads_and_needs_no_thread_then(tmp_path):
    """One connection reads: a long query in its thread is not disturbed."""
    begun, go_on, order = threading.Event(), threading.Event(), []

    def long_query(_connection):
        begun.set()
        go_on.wait(20)
        order.append("long")

    def look(_connection):
        order.append(threading.current_thread() is threading.main_thread())

    async with open_sqlite(tmp_path / "exai.db") as store, trio.open_nursery() as nursery:
        nursery.start_soon(store.read, long_query)
        await trio.to_thread.run_sync(begun.wait, 20)
        nursery.start_soon(store.read_by_key, look)
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()

    assert ["long", True] == order
