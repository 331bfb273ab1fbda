"""`exai storage copy`: from a home into PostgreSQL."""

import attrs
import pytest

from exai_trio.commands.storage.asked import Asked
from exai_trio.commands.storage.copy_store import copy
from exai_trio.config import Config
from exai_trio.errors import ArgumentError
from exai_trio.storage.base import Step, Turn
from exai_trio.storage.postgres.conversation_store import PostgresConversations
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.postgres.thread_store import PostgresThreads
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads
from exai_trio.system.clock import unix_now

pytestmark = pytest.mark.real
OURS, HERS, OTHER = (f"{n}1111111-2222-4333-8444-555555555555" for n in "123")


@pytest.fixture
def asked(tmp_path, stage):
    config = attrs.evolve(
        Config(), home=tmp_path, storage_backend="postgres", database_url=stage.url
    )
    return Asked(config=config)


async def say(store, conversation, *texts, key=""):
    now = unix_now()
    turns = tuple(Turn(role="user", text=text, tool="chat", at=now, key=key) for text in texts)
    await store.append(conversation, turns, now, now + 9_000)


async def test_what_a_home_has_is_copied_once_however_often(asked):
    """Every principal's, with steps and names; what was said there meanwhile stays."""
    async with open_sqlite(asked.database) as store:
        await say(store, OURS, *map(str, range(60)))
        step = Step(tool="debug", at=unix_now(), data={"step": 1})
        await store.add_step(OURS, step, unix_now(), unix_now() + 9_000)
        await SqliteThreads(store).name(OURS, "herons", unix_now())
        await say(store.of("jwt:ada"), HERS, "hers", key="k1")
        first = await copy(asked)
        async with open_database(asked.config.database_url, unix_now) as database:
            named = await PostgresThreads(database).named("herons", unix_now())
            there = PostgresConversations(database, store)
            await say(there, OURS, "said there")
            await say(store, OURS, "said here")
            await PostgresThreads(database).name(OURS, "", unix_now())
            await say(there, OTHER, "another's")
            await PostgresThreads(database).name(OTHER, "herons", unix_now())
            again = await copy(asked)
            ours = await there.load(OURS, unix_now())
            steps = await there.steps(OURS, unix_now())
            hers = await there.of("jwt:ada").load(HERS, unix_now())

    assert [(2, 62, []), (2, 63, ["herons"])] == [tuple(first.data.values()), tuple(again.data.values())]  # fmt: skip
    assert "another conversation is called 'herons' there: this one has no name" in again.lines
    assert [*map(str, range(60)), "said there", "said here"] == [one.text for one in ours.turns]
    assert [{"step": 1}] == [one.data for one in steps]
    assert ["hers"] == [one.text for one in hers.turns]
    assert OURS == named


async def test_without_a_database_nothing_is_copied(tmp_path):
    """It is said what to set."""
    with pytest.raises(ArgumentError, match="DATABASE_URL"):
        await copy(Asked(config=attrs.evolve(Config(), home=tmp_path)))
