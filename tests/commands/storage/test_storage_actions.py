"""`exai storage` without a server: what is told of a home, what waits for Supabase, and what is refused before anybody is asked."""

import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import attrs
import pytest
from remote_in_memory import MemoryRemote

from exai_trio.commands.console import Console
from exai_trio.commands.storage import copy_store, hosted_actions, store_command, store_status
from exai_trio.commands.storage.asked import Asked
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError, StorageError
from exai_trio.storage.base import Step, Turn
from exai_trio.storage.hosted.hosted_faults import HostedAway, SchemaDiffers
from exai_trio.storage.hosted.outbox_entries import Applied, HostedState
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.postgres import conversation_store, database, thread_store
from exai_trio.storage.sqlite.mirrored.local_side import LocalSide
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads
from exai_trio.storage.supabase.migrations import newest
from exai_trio.system.clock import unix_now
from exai_trio.transport.websocket import Unreachable

ALONE = Config(ws_port=9)
HOSTED = attrs.evolve(ALONE, storage_backend="supabase", supabase_url="https://abc.supabase.co")
SHARED = attrs.evolve(ALONE, storage_backend="postgres", database_url="postgresql://db")


@attrs.define
class Supabase(MemoryRemote):
    """Applies what it is sent, but for what it refuses with a code; or is away with `fault`."""

    fault: Exception | None = None
    refused: str = ""
    is_away: bool = False  # for what is sent
    requests: object = None
    ahead_s: float = 0.04
    applied: list = attrs.field(factory=list)

    async def state(self):
        if self.fault is not None:
            raise self.fault
        return HostedState(now=0.0, version=newest())

    async def apply(self, entries):
        if self.is_away:
            raise HostedAway("Supabase is not there.")
        self.applied += entries
        return tuple(Applied(id=entry.id, code=self.refused) for entry in entries)


@pytest.fixture
def supabase(monkeypatch):
    there = Supabase()

    @asynccontextmanager
    async def opened(_asked):
        yield there

    for module in (store_status, hosted_actions):
        monkeypatch.setattr(module, "open_supabase", opened)
    return there


@pytest.fixture
def daemon(monkeypatch):
    """What it says of its store, or why it does not answer."""
    said = {}

    async def health(_config):
        if isinstance(said.get("fault"), Exception):
            raise said["fault"]
        return SimpleNamespace(health=SimpleNamespace(health={"storage": said}))

    async def answered(config):
        return (await health(config)).health

    monkeypatch.setattr(store_status, "health", answered)
    return said


def asked_of(config, home):
    return Asked(config=attrs.evolve(config, home=home))


@asynccontextmanager
async def kept(asked, *conversations):
    """A home with these; two turns each."""
    async with open_sqlite(asked.database) as store:
        for name in conversations:
            now = unix_now()
            turns = [Turn(role=role, text=role, tool="chat", at=now) for role in ("user", "assistant")]  # fmt: skip
            await store.append(name, tuple(turns), now, now + 3600)
        yield store


async def said(action, asked, capsys, *, as_json=True):
    code = await store_command.run(action, asked, Console.of_process({}), as_json=as_json)
    printed = capsys.readouterr().out
    return code, json.loads(printed) if as_json else printed


async def test_an_empty_home_has_nothing_and_says_so(tmp_path, daemon, capsys):
    """And nobody makes a database to look into it."""
    daemon["fault"] = Unreachable("nobody listens")
    code, told = await said("status", asked_of(ALONE, tmp_path), capsys)
    _, lines = await said("status", asked_of(ALONE, tmp_path), capsys, as_json=False)

    assert (0, "sqlite", 0) == (code, told["backend"], told["outbox"]["entries"])
    assert {"fault": "nobody listens"} == told["daemon"]
    assert "outbox   0 entries, 0 bytes, 0 refused" in lines
    assert "supabase" not in lines
    assert not asked_of(ALONE, tmp_path).database.exists()


async def test_what_waits_and_what_was_refused_is_told(tmp_path, supabase, daemon, capsys):
    """With the code of each, in words and in JSON; so is what the daemon says of its store."""
    asked = asked_of(HOSTED, tmp_path)
    daemon |= {"writable": True, "fault_of_disk": None, "outbox": {"entries": 7}}
    supabase.refused = "23514"
    async with kept(asked, "a", "b"):
        pushed = await said("push", asked, capsys)
        _, told = await said("status", asked, capsys)
        _, lines = await said("status", asked, capsys, as_json=False)
        retried = await said("retry", asked, capsys)
        _, again = await said("status", asked, capsys)

    assert (0, {"conversations": 2, "left": 0, "parked": 4}) == pushed
    assert ["23514"] * 4 == [one["code"] for one in told["parked"]]
    assert {"schema": newest(), "clock_ahead_s": 0.0} == told["supabase"]
    assert ": 23514" in lines
    assert f"supabase schema {newest()}" in lines
    assert "daemon   fault of disk: none" in lines
    assert "daemon   writable: yes" in lines
    assert "daemon   outbox" not in lines
    assert (0, {"entries": 4}) == retried
    assert (4, 0) == (again["outbox"]["entries"], again["outbox"]["parked"])


async def test_what_is_not_sent_now_is_left_to_the_daemon(tmp_path, supabase, capsys):
    """The exit code says so; the second time all of it goes, once."""
    asked = asked_of(HOSTED, tmp_path)
    async with kept(asked, "a"):
        supabase.is_away = True
        first = await said("push", asked, capsys)
        supabase.is_away = False
        second = await said("push", asked, capsys)
        third = await said("push", asked, capsys)

    assert (1, {"conversations": 1, "left": 2, "parked": 0}) == first
    assert (0, {"conversations": 0, "left": 0, "parked": 0}) == second == third
    assert 2 == len({entry.id for entry in supabase.applied}) == len(supabase.applied)


async def test_a_supabase_that_cannot_be_used_is_told_by_status_and_ends_a_push(tmp_path, supabase, daemon, capsys):  # fmt: skip
    """Nothing is queued twice by that."""
    asked = asked_of(HOSTED, tmp_path)
    supabase.fault = SchemaDiffers("run `exai storage migrate`")
    async with kept(asked, "a") as store:
        _, told = await said("status", asked, capsys)
        _, lines = await said("status", asked, capsys, as_json=False)
        with pytest.raises(StorageError, match="migrate"):
            await said("push", asked, capsys)
        queued = await LocalSide(store, SqliteOutbox(store)).tell_all()

    assert "migrate" in told["supabase"]["fault"]
    assert "supabase run `exai storage migrate`" in lines
    assert 0 == queued


@pytest.mark.parametrize("action", ["push", "retry"])
async def test_without_a_supabase_there_is_nothing_to_send(tmp_path, capsys, action):
    """The refusal names the setting; a home without a database is told apart."""
    with pytest.raises(ArgumentError, match="STORAGE_BACKEND is sqlite"):
        await said(action, asked_of(ALONE, tmp_path), capsys)
    with pytest.raises(NotFoundError, match="Nothing is stored"):
        await said(action, asked_of(HOSTED, tmp_path), capsys)


@pytest.mark.parametrize(
    ("config", "where"),
    [
        (HOSTED, "/project/abc/"),
        (attrs.evolve(HOSTED, supabase_project_id="xyz"), "/project/xyz/"),
        (attrs.evolve(SHARED, database_url=""), "/project/_/"),
    ],
)
async def test_who_has_no_database_url_is_given_the_sql_and_where_to_run_it(tmp_path, capsys, config, where):  # fmt: skip
    """Of all steps, in order; nothing is asked."""
    code, told = await said("migrate", asked_of(config, tmp_path), capsys)
    _, lines = await said("migrate", asked_of(config, tmp_path), capsys, as_json=False)

    assert 0 == code
    assert where in told["editor"]
    assert told["sql"] in lines
    assert "-- SUPABASE_DB_URL is not set" in lines
    assert told["sql"].lower().count("create table") > 5


@pytest.mark.parametrize("config", [HOSTED, SHARED])
async def test_what_a_migration_has_applied_is_named(tmp_path, supabase, capsys, monkeypatch, config):  # fmt: skip
    """The buckets are Supabase's alone; a second time there is nothing to apply."""
    config = attrs.evolve(config, supabase_db_url="postgresql://there")
    steps = {"left": (1, 2)}
    asked_with = []

    def applied(url, _steps, *, plain):
        asked_with.append((url, plain))
        return steps.pop("left", ())

    async def made(_requests):
        return ("exai-files",)

    monkeypatch.setattr("exai_trio.storage.supabase.migrate.migrate", applied)
    monkeypatch.setattr("exai_trio.storage.supabase.buckets.make_missing", made)
    _, first = await said("migrate", asked_of(config, tmp_path), capsys, as_json=False)
    _, second = await said("migrate", asked_of(config, tmp_path), capsys)

    assert 2 == first.count("applied ")
    assert ("made bucket exai-files" in first) == config.is_hosted
    assert [] == second["applied"]
    assert [("postgresql://there", False) if config.is_hosted else ("postgresql://db", True)] * 2 == asked_with  # fmt: skip


@attrs.define
class Postgres:
    """A database of such a schema, with conversations as they are in memory."""

    store: MemoryStore = attrs.field(factory=MemoryStore)
    version: int | None = None

    async def look(self):
        self.version = self.version or newest()


@pytest.fixture
def postgres(monkeypatch):
    there = Postgres()

    @asynccontextmanager
    async def opened(_url, _now):
        yield there

    monkeypatch.setattr(database, "open_database", opened)
    monkeypatch.setattr(conversation_store, "PostgresConversations", lambda there, _here: there.store)  # fmt: skip
    monkeypatch.setattr(thread_store, "PostgresThreads", lambda there: there.store)
    return there


async def test_a_home_is_copied_with_steps_and_names(tmp_path, postgres):
    """Each turn and step has a key, the same every time: by it the other side knows what it has. A name that is taken is told."""
    asked = asked_of(SHARED, tmp_path)
    now = unix_now()
    await postgres.store.append("taken", (Turn(role="user", text="x", tool="chat", at=now),), now, now + 60)  # fmt: skip
    await postgres.store.name("taken", "herons", now)
    async with kept(asked, "a", "b") as store:
        await SqliteThreads(store).name("a", "herons", now)
        await SqliteThreads(store).name("b", "owls", now)
        await store.add_step("a", Step(tool="debug", at=now, data={"step": 1}), now, now + 60)
        told = await copy_store.copy(asked)
    turns = (await postgres.store.load("a", now)).turns
    steps = await postgres.store.steps("a", now)

    assert {"conversations": 2, "turns": 5, "names_of_others": ["herons"]} == told.data
    assert "another conversation is called 'herons' there: this one has no name" in told.lines
    assert ["copied:a:turn:0", "copied:a:turn:1"] == [turn.key for turn in turns]
    assert ["copied:a:step:0"] == [step.key for step in steps]
    assert "b" == await postgres.store.named("owls", now)


async def test_what_cannot_be_copied_to_is_refused_before_anything_is(tmp_path, postgres, capsys):
    """No PostgreSQL is set, nothing is stored here, or its schema is another."""
    with pytest.raises(ArgumentError, match="STORAGE_BACKEND=postgres"):
        await said("copy", asked_of(ALONE, tmp_path), capsys)
    with pytest.raises(NotFoundError, match="Nothing is stored"):
        await said("copy", asked_of(SHARED, tmp_path), capsys)
    postgres.version = 1
    async with kept(asked_of(SHARED, tmp_path), "a"):
        with pytest.raises(StorageError, match=r"is 1, and this EXAI needs .*: run `exai storage migrate`"):  # fmt: skip
            await said("copy", asked_of(SHARED, tmp_path), capsys)

    assert await postgres.store.load("a", unix_now()) is None
