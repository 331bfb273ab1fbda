"""The contract of Threads, held by every store that has threads."""

from contextlib import asynccontextmanager

import attrs
import pytest

from exai_trio.storage.base import Step, Turn
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.postgres.conversation_store import PostgresConversations
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.postgres.thread_store import PostgresThreads
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads


@asynccontextmanager
async def in_memory(_path):
    store = MemoryStore()
    yield store, store


@asynccontextmanager
async def in_sqlite(path):
    async with open_sqlite(path) as store:
        yield store, SqliteThreads(store)


@asynccontextmanager
async def in_postgres(stage):
    async with open_database(stage.url, lambda: 0.0) as database:
        yield PostgresConversations(database, clock=MemoryStore()), PostgresThreads(database)


@pytest.fixture(
    params=[
        pytest.param(in_memory, id="memory"),
        pytest.param(in_sqlite, id="sqlite"),
        pytest.param(in_postgres, id="postgres", marks=pytest.mark.real),
    ]
)
async def both(request, tmp_path):
    """A store with three conversations, of which the first, second used last, is called "bug", and one has expired at 40."""
    hosted = request.param is in_postgres
    place = request.getfixturevalue("stage") if hosted else tmp_path / "exai.db"
    async with request.param(place) as (store, threads):
        await store.append("aa1", (turn("user", "why?", 10), turn("assistant", "so", 11, "m1")), 10, 99)  # fmt: skip
        await store.append("aa2", (turn("user", "x" * 300, 12),), 12, 99)
        for at in (9, 20):
            await store.add_step("bb", Step(tool="debug", at=at, data={"n": at}), at, 99)
        await store.append("gone", (turn("user", "late", 30),), 30, 40)
        assert await threads.name("aa1", "bug", 31)
        yield store, threads


def turn(role, text, at, model=""):
    return Turn(role=role, text=text, tool="chat", model=model, at=at)


async def test_the_list_is_newest_first_without_what_has_expired(both):
    """Everything at a glance; steps count as use; at most as many as asked for."""
    _, threads = both
    found = await threads.recent(50)
    first = attrs.asdict(found[-1])

    assert ["bb", "aa2", "aa1"] == [each.id for each in found]
    assert ["bb", "aa2"] == [each.id for each in await threads.recent(50, 2)]
    assert first == {
        "id": "aa1",
        "name": "bug",
        "created_at": 10,
        "expires_at": 99,
        "turns": 2,
        "tool": "chat",
        "model": "m1",
        "opening": "why?",
        "last_at": 11,
    }
    assert (0, "debug", "", "", 20) == tuple(
        getattr(found[0], name) for name in ("turns", "tool", "model", "opening", "last_at")
    )
    assert "x" * 200 == found[1].opening


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("aa1", ["aa1"]),
        ("bug", ["aa1"]),
        ("a", ["aa1", "aa2"]),
        ("bu", []),
        ("gone", []),
        ("%", []),
    ],
)
async def test_one_is_found_by_id_name_or_beginning(both, wanted, ids):
    """The exact one goes before the others; names are found whole only."""
    assert ids == list(await both[1].find(wanted, 50))


async def test_an_id_goes_before_a_name(both):
    """Whoever calls one by another's id does not take its place."""
    _, threads = both
    await threads.name("aa2", "aa1", 50)

    assert ("aa1",) == await threads.find("aa1", 50)
    assert "aa2" == await threads.named("aa1", 50)


async def test_names_are_unique_among_the_living(both):
    """Another one's name is refused, one's own is not; an expired conversation holds none; "" takes it away."""
    _, threads = both
    taken = await threads.name("aa2", "bug", 50)
    again = await threads.name("aa1", "bug", 50)
    nobody = await threads.name("nobody", "x", 50)
    late = await threads.name("aa1", "bug", 99)
    renamed = await threads.name("aa1", "ant", 50)
    freed = await threads.name("aa2", "bug", 50)
    none = [await threads.name(id_, "", 50) for id_ in ("aa1", "aa2")]

    assert [False, True, False, False, True, True] == [taken, again, nobody, late, renamed, freed]
    assert [True, True] == none
    assert [None, None, None] == [await threads.named(name, 50) for name in ("bug", "ant", "")]


async def test_the_name_of_an_expired_one_is_free(both):
    """Also before the sweep has met it."""
    store, threads = both
    await store.append("new", (turn("user", "?", 60),), 60, 999)

    assert await threads.name("new", "bug", 150)
    assert "new" == await threads.named("bug", 150)


async def test_another_principal_finds_nothing(both):
    """Not by id, name or beginning, nor in the list; its own may have the same names."""
    store, threads = both
    theirs = threads.of("jwt:b")
    found = [await theirs.find(wanted, 50) for wanted in ("aa1", "bug", "a")]
    acts = (
        await theirs.name("aa1", "x", 50),
        await theirs.fork("aa1", "new", 50, 99),
        await theirs.delete("aa1", 50),
    )
    await store.of("jwt:b").append("cc", (turn("user", "?", 40),), 40, 99)
    named = await theirs.name("cc", "bug", 50)

    assert [(), (), ()] == found
    assert (False, False, False) == acts
    assert named
    assert ("aa1", "cc") == (await threads.named("bug", 50), await theirs.named("bug", 50))
    assert ["cc"] == [one.id for one in await theirs.recent(50)]


async def test_a_fork_has_everything_and_goes_on_apart(both):
    """Turns and steps, but not the name; what is added to one is not in the other."""
    store, threads = both
    copied = [await threads.fork(id_, f"{id_}x", 50, 200) for id_ in ("aa1", "bb", "gone", "no")]
    await store.append("aa1x", (turn("user", "more", 51),), 51, 200)
    original, copy = await store.load("aa1", 52), await store.load("aa1x", 52)

    assert [True, True, False, False] == copied
    assert original.turns == copy.turns[:-1]
    assert (50, 200) == (copy.created_at, copy.expires_at)
    assert await store.steps("bb", 52) == await store.steps("bbx", 52)
    assert "aa1" == await threads.named("bug", 52)


async def test_deleted_is_deleted_whole(both):
    """With turns, steps and name; what is not there, or has expired, was not there."""
    store, threads = both
    was_there = [await threads.delete(id_, 50) for id_ in ("aa1", "bb", "gone", "aa1")]

    assert [True, True, False, False] == was_there
    assert ["aa2"] == [each.id for each in await threads.recent(50)]
    assert await store.load("aa1", 50) is None
    assert () == await store.steps("bb", 50)
    assert await threads.name("aa2", "bug", 50)
