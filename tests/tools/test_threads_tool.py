"""The hidden tool that shows conversations to the shim."""

import json

import pytest

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.storage.base import Turn
from exai_trio.storage.memory import MemoryStore
from exai_trio.storage.sqlite import open_sqlite
from exai_trio.tools.registry import BUILT_IN, Registry


def turn(role, text, at):
    return Turn(role=role, text=text, tool="chat", model="glm-4.6", at=at)


async def fill(store):
    """Two conversations, the second used last, and one that has expired at 50."""
    await store.append(
        "old", (turn("user", "first\n question", 10), turn("assistant", "ä", 11)), 10, 99
    )
    await store.append("new", (turn("user", "later", 20), turn("assistant", "b", 21)), 20, 99)
    await store.append("gone", (turn("user", "x", 30),), 30, 40)


async def test_the_list_is_newest_first_in_both_stores(tmp_path):
    """Openings, counts and times, without what has expired, at most as many as asked for."""
    memory = MemoryStore()
    await fill(memory)
    async with open_sqlite(tmp_path / "exai.db") as store:
        await fill(store)
        kept = await store.recent(50, 10), await store.recent(50, 1)

    assert (await memory.recent(50, 10), await memory.recent(50, 1)) == kept
    assert [("new", 2, 21), ("old", 2, 11)] == [(one.id, one.turns, one.last_at) for one in kept[0]]
    assert 1 == len(kept[1])


async def test_conversations_are_listed_read_and_completed(bench):
    """A title of one line, a transcript with roles, ids by their beginning."""
    now = bench.services.now()
    turns = (turn("user", "first\n question", now), turn("assistant", "ä", now))
    await bench.services.conversations.append("abc-1", turns, now, now + 99)
    listed = json.loads((await bench.call("threads", operation="list")).text)
    read = json.loads((await bench.call("threads", operation="read", value="abc-1")).text)
    ids = json.loads(
        (
            await bench.call(
                "threads", operation="complete", argument="continuation_id", value="AB"
            )
        ).text
    )
    nothing = json.loads((await bench.call("threads", operation="complete", argument="x")).text)

    assert ["first question"] == [one["title"] for one in listed["threads"]]
    assert "## user (chat" in read["content"]
    assert "## assistant (chat, glm-4.6" in read["content"]
    assert "ä" in read["content"]
    assert (["abc-1"], []) == (ids["values"], nothing["values"])


async def test_models_are_completed(bench):
    """The names of configured providers' models that begin so."""
    told = json.loads(
        (await bench.call("threads", operation="complete", argument="model", value="glm")).text
    )

    assert told["values"]
    assert all(name.startswith("glm") for name in told["values"])


async def test_what_is_not_there_is_refused(bench):
    """An unknown conversation, and an unknown operation."""
    with pytest.raises(NotFoundError):
        await bench.call("threads", operation="read", value="zzz")
    with pytest.raises(ArgumentError):
        await bench.call("threads", operation="delete")


def test_it_is_listed_nowhere_and_cannot_be_disabled():
    """No profile shows it; without it the shim has no resources."""
    registry = Registry(
        tools=BUILT_IN,
        profile="full",
        enabled=frozenset({"threads"}),
        disabled=frozenset({"threads"}),
    )

    assert "threads" not in registry.names()
    assert "threads" not in [tool.name for tool in registry.visible()]
    assert "threads" == registry.get("threads").name
