"""`exai storage`: from an empty project to a working one, and what is told of it on the way."""

import json
from contextlib import asynccontextmanager

import attrs
import pytest
from hosted.storage_api import Bucket

from exai_trio.commands.console import Console
from exai_trio.commands.storage import store_command
from exai_trio.commands.storage.asked import Asked
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, StorageError
from exai_trio.storage.base import Turn
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.supabase.migrations import migrations, newest
from exai_trio.system.clock import unix_now

pytestmark = pytest.mark.real


@pytest.fixture
def config(tmp_path, gateway, stage):
    return attrs.evolve(
        Config(),
        home=tmp_path,
        ws_port=9,
        storage_backend="supabase",
        supabase_url=gateway.url,
        supabase_key=gateway.key,
        supabase_db_url=stage.url,
    )


async def run(config, action, capsys, **more):
    """The exit code, and what was printed as JSON."""
    console = Console.of_process({})
    code = await store_command.run(action, Asked(config=config, **more), console, as_json=True)
    return code, json.loads(capsys.readouterr().out)


@asynccontextmanager
async def embedded(config):
    async with open_sqlite(config.state / "exai.db") as store:
        yield store


async def keep(store, conversation, **more):
    now = unix_now()
    turns = [
        Turn(role=role, text=role, tool="chat", at=now, **more) for role in ("user", "assistant")
    ]
    await store.append(conversation, tuple(turns), now, now + 3600)


async def test_an_empty_project_is_made_ready(config, stage, capsys):
    """Migrations over the database's URL, the buckets over the Storage API; a second time nothing is left to do."""
    for bucket in list(stage.storage.buckets):
        del stage.storage.buckets[bucket]
    stage.execute("drop schema public cascade; create schema public")
    stage.execute("grant usage on schema public to anon, authenticated, service_role")
    async with embedded(config) as store:
        await keep(store, "c")
    missing = await run(attrs.evolve(config, supabase_db_url=""), "check", capsys)
    first = await run(config, "migrate", capsys)
    second = await run(config, "migrate", capsys)
    stage.postgrest.wait_schema(b"exai_apply")
    checked = await run(config, "check", capsys)

    assert 1 == missing[0]
    assert any("exai storage migrate" in line for line in missing[1]["faults"])
    assert [*range(1, newest() + 1)] == first[1]["applied"]
    assert ["exai-files", "exai-bus"] == first[1]["buckets"]
    assert (0, {"applied": [], "buckets": []}) == second
    assert (0, {"ok": True, "faults": []}) == checked


async def test_without_the_databases_url_the_sql_is_printed(config, capsys):
    """All of it, with the page to run it on; and that is no failure."""
    asked = attrs.evolve(config, supabase_db_url="", supabase_project_id="abcdefgh")
    code, told = await run(asked, "migrate", capsys)

    assert 0 == code
    assert "abcdefgh" in told["editor"]
    assert all(step.sha256 in told["sql"] and step.sql in told["sql"] for step in migrations())


async def test_the_printed_sql_makes_the_same_tables(config, stage, capsys):
    """Run by hand in an empty database it leaves what `migrate` leaves, its notes included."""
    _, told = await run(attrs.evolve(config, supabase_db_url=""), "migrate", capsys)
    stage.execute("drop schema public cascade; create schema public")
    stage.execute("grant usage on schema public to anon, authenticated, service_role")
    stage.execute(told["sql"])
    stage.postgrest.wait_schema(b"exai_apply")
    async with embedded(config) as store:
        await keep(store, "c")

    assert (0, {"ok": True, "faults": []}) == await run(config, "check", capsys)


async def test_an_embedded_history_is_sent_once(config, stage, capsys):
    """Every conversation with all its turns; a second push finds nothing new."""
    async with embedded(config) as store:
        for name in ("a", "b"):
            await keep(store, name, extra={"files": ["/x"]})
    first = await run(config, "push", capsys)
    second = await run(config, "push", capsys)
    (count,) = stage.execute("select count(*) from messages")[0]

    assert (0, {"conversations": 2, "left": 0, "parked": 0}) == first
    assert (0, {"conversations": 0, "left": 0, "parked": 0}) == second
    assert 4 == count


async def test_status_tells_of_both_sides(config, stage, gateway, capsys):
    """What waits and what was refused; a Supabase that is away is told, not raised; `retry` sends again."""
    async with embedded(config) as store:
        await keep(store, "a")
        await keep(store, "nul\x00bad")
    stage.execute("alter table conversations add constraint no check (id <> 'a')")
    try:
        pushed = await run(config, "push", capsys)
        parked = await run(config, "status", capsys)
    finally:
        stage.execute("alter table conversations drop constraint no")
    retried = await run(config, "retry", capsys)
    gateway.break_all(status=503)
    away = await run(config, "status", capsys)

    assert 2 == pushed[1]["parked"]
    assert ["23514", "23514"] == [one["code"] for one in parked[1]["parked"]]
    assert newest() == parked[1]["supabase"]["schema"]
    assert (0, {"entries": 2}) == retried
    assert (2, 0) == (away[1]["outbox"]["entries"], away[1]["outbox"]["parked"])
    assert "cannot be reached" in away[1]["supabase"]["fault"]


async def test_a_schema_of_a_newer_exai_is_named(config, stage, capsys):
    """By `status`, with what to do."""
    stage.execute("insert into schema_version values (99, 'later', 'x')")
    try:
        _, told = await run(config, "status", capsys)
    finally:
        stage.execute("delete from schema_version where version = 99")

    assert "upgrade this one" in told["supabase"]["fault"]


async def test_a_public_bucket_is_a_fault(config, stage, capsys):
    """Named with its remedy."""
    stage.storage.buckets["exai-files"] = Bucket("exai-files", public=True)
    async with embedded(config) as store:
        await keep(store, "a")
    try:
        code, told = await run(config, "check", capsys)
    finally:
        stage.storage.buckets["exai-files"] = Bucket("exai-files")

    assert (1, 1) == (code, len(told["faults"]))
    assert "exai-files is public" in told["faults"][0]


async def test_the_embedded_store_is_looked_at_too(tmp_path, capsys):
    """`status` and `check` need no Supabase; `push` and `retry` say that there is none."""
    config = attrs.evolve(Config(), home=tmp_path, ws_port=9)
    async with embedded(config) as store:
        await keep(store, "a")
    status = await run(config, "status", capsys)
    checked = await run(config, "check", capsys, full=True)
    for action in ("push", "retry"):
        with pytest.raises(ArgumentError, match="STORAGE_BACKEND"):
            await run(config, action, capsys)

    assert (0, "sqlite") == (status[0], status[1]["backend"])
    assert (0, {"ok": True, "faults": []}) == checked


async def test_what_is_wrong_here_is_said_while_supabase_is_away(tmp_path, capsys):
    """That it cannot be asked is one fault more."""
    nobody = "http://127.0.0.1:9"
    config = attrs.evolve(
        Config(), home=tmp_path, storage_backend="supabase", supabase_url=nobody, supabase_key="key"
    )
    config.state.mkdir()
    (config.state / "exai.db").write_bytes(b"no database at all" * 1000)
    code, told = await run(config, "check", capsys)

    assert (1, 2) == (code, len(told["faults"]))
    assert told["faults"][0].startswith("database: ")
    assert "cannot be reached" in told["faults"][1]


async def test_a_database_that_cannot_be_reached_is_said_without_its_password(config, capsys):
    """The fault names the setting, and quotes nothing of its value."""
    wrong = "postgresql://postgres:geheim@127.0.0.1:9/postgres"
    with pytest.raises(StorageError, match="SUPABASE_DB_URL") as raised:
        await run(attrs.evolve(config, supabase_db_url=wrong), "migrate", capsys)

    assert "geheim" not in str(raised.value)
