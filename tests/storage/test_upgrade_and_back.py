"""Forward to a new schema, and back to the version before."""

import sqlite3
from contextlib import closing

import pytest

from exai_trio.errors import StorageError
from exai_trio.storage.base import Step, Turn
from exai_trio.storage.sqlite.file import upgrade
from exai_trio.storage.sqlite.file.last_use_step import LAST_USE_STEP
from exai_trio.storage.sqlite.file.schema import STEPS
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads

ID = "11111111-2222-4333-8444-555555555555"


def older(monkeypatch):
    """The version before knows one step less."""
    monkeypatch.setattr(upgrade, "STEPS", STEPS[:-1])


async def say(path, text, at):
    async with open_sqlite(path) as store:
        turn = Turn(role="user", text=text, tool="chat", at=at)
        await store.append(ID, (turn,), at, at + 1_000)


async def said(path):
    async with open_sqlite(path) as store:
        found = await store.load(ID, 5.0)
        return [turn.text for turn in found.turns]


def schema_of(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


async def test_the_file_before_is_kept_and_can_be_used_again(tmp_path, monkeypatch):
    """The old version refuses the new file; with the kept one in its place it goes on where it was."""
    path = tmp_path / "exai.db"
    kept = tmp_path / f"exai.db.schema-{len(STEPS) - 1}"
    with monkeypatch.context() as before:
        older(before)
        await say(path, "before", 1.0)
    assert not kept.exists()
    await say(path, "after", 2.0)
    assert ["before", "after"] == await said(path)
    assert (len(STEPS), len(STEPS) - 1) == (schema_of(path), schema_of(kept))
    assert 0o600 == kept.stat().st_mode & 0o777

    older(monkeypatch)
    with pytest.raises(StorageError, match="newer EXAI"):
        await said(path)
    kept.replace(path)
    assert ["before"] == await said(path)
    monkeypatch.undo()
    await say(path, "again", 3.0)
    assert ["before", "again"] == await said(path)


async def test_a_new_file_and_todays_have_nothing_to_keep(tmp_path):
    await say(tmp_path / "exai.db", "new", 1.0)
    await say(tmp_path / "exai.db", "more", 2.0)

    assert [] == list(tmp_path.glob("*.schema-*"))


async def test_a_copy_that_cannot_be_made_stops_the_upgrade(tmp_path, monkeypatch):
    """The file is as it was."""
    path = tmp_path / "exai.db"
    with monkeypatch.context() as before:
        older(before)
        await say(path, "before", 1.0)
    (tmp_path / f"exai.db.schema-{len(STEPS) - 1}").mkdir()
    with pytest.raises(StorageError):
        await said(path)

    assert len(STEPS) - 1 == schema_of(path)


async def test_conversations_of_the_file_before_keep_their_order(tmp_path, monkeypatch):
    """Each has the time of its newest turn or step, as those have that are added from now on."""
    path = tmp_path / "exai.db"
    monkeypatch.setattr(upgrade, "STEPS", STEPS[: STEPS.index(LAST_USE_STEP)])
    async with open_sqlite(path) as store:
        for name, at in (("a", 5.0), ("b", 7.0), ("c", 6.0)):
            turn = Turn(role="user", text="x", tool="chat", at=at)
            await store.append(name, (turn,), 1.0, 1_000.0)
        await store.add_step("a", Step(tool="debug", at=8.0, data={}), 2.0, 1_000.0)
    monkeypatch.undo()
    async with open_sqlite(path) as store:
        before = await SqliteThreads(store).recent(9.0)
        await store.add_step("c", Step(tool="debug", at=9.0, data={}), 9.0, 1_000.0)
        after = await SqliteThreads(store).recent(9.0)

    assert [("a", 8.0), ("b", 7.0), ("c", 6.0)] == [(one.id, one.last_at) for one in before]
    assert [("c", 9.0), ("a", 8.0), ("b", 7.0)] == [(one.id, one.last_at) for one in after]
