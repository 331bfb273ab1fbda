"""The contract of ConversationStore, held by every store."""

import attrs
import pytest
import trio
from every_store import STORES, opener
from hypothesis import given, settings, strategies as st

from exai_trio.errors import StorageError
from exai_trio.storage.base import SWEEP_GRACE_S, Step, Turn
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.sqlite.store import open_sqlite

HOUR_S = 3600.0


@pytest.fixture(params=STORES)
def open_store(request):
    return opener(request)


def _with_and_without_nul(turns, asked):
    """PostgreSQL holds no U+0000; everything else has it."""
    first = attrs.evolve(turns[0], text=turns[0].text.replace("\ufffd", "\x00"))
    return (turns, (first, *turns[1:])) if "\x00" in asked else (turns,)


def said(text, role="user", **more):
    return Turn(role=role, text=text, tool="chat", at=1.0, **more)


async def test_unknown_conversation_is_none(open_store, tmp_path):
    """A conversation that nobody began is None, not an error."""
    async with open_store(tmp_path / "exai.db") as store:
        found = await store.load("nobody", now=0)

    assert found is None


async def test_turns_come_back_as_given(open_store, tmp_path):
    """Turns come back in order with every field, whatever the text."""
    question = said("why? \x00 é 🙂\n", extra={"files": ["a.py"], "deep": {"n": [1, 2.5, None]}})
    answer = said("because", role="assistant", model="glm-4.6", provider="glm")
    async with open_store(tmp_path / "exai.db") as store:
        first = await store.append("c", (question, answer), now=10, expires_at=10 + HOUR_S)
        second = await store.append("c", (said("and?"),), now=20, expires_at=20 + HOUR_S)
        found = await store.load("c", now=30)

    assert (2, 3) == (first, second)
    assert (question, answer, said("and?")) in _with_and_without_nul(found.turns, question.text)
    assert ("c", 10, 20 + HOUR_S) == (found.id, found.created_at, found.expires_at)


async def test_expired_conversation_is_gone_at_once(open_store, tmp_path):
    """At its expiry a conversation is None, swept or not; what is added by a call that began before goes on with it."""
    async with open_store(tmp_path / "exai.db") as store:
        await store.append("c", (said("old"),), now=0, expires_at=10)
        at_expiry = await store.load("c", now=10)
        count = await store.append("c", (said("new"),), now=11, expires_at=20)
        found = await store.load("c", now=12)

    assert at_expiry is None
    assert count == 2
    assert (said("old"), said("new")) == found.turns


async def test_sweep_marks_first_and_deletes_after_the_grace(open_store, tmp_path):
    """What has expired is marked by the first sweep, deleted by the one that finds it so a grace later; the others stay."""
    async with open_store(tmp_path / "exai.db") as store:
        await store.append("old", (said("a"),), now=0, expires_at=10)
        await store.append("young", (said("b"),), now=0, expires_at=30 + SWEEP_GRACE_S)
        swept = [await store.sweep(now) for now in (20, 19 + SWEEP_GRACE_S, 20 + SWEEP_GRACE_S)]
        again = await store.sweep(21 + SWEEP_GRACE_S)
        here = getattr(
            store, "local", store
        )  # the other side of a mirror keeps what is old for longer
        left = [await here.load(name, now=5) for name in ("old", "young")]

    assert ([0, 0, 1], 0) == (swept, again)
    assert left[0] is None
    assert (said("b"),) == left[1].turns


async def test_marks_of_a_clock_that_was_ahead_are_taken_back(open_store, tmp_path):
    """What a clock two days ahead has marked is there again at the right time, and has its whole grace once it expires."""
    ahead = 2 * 24 * HOUR_S
    async with open_store(tmp_path / "exai.db") as store:
        await store.append("c", (said("a"),), now=0, expires_at=HOUR_S)
        await store.sweep(ahead)
        there = await store.load("c", now=1)
        await store.sweep(now=1)
        swept = [await store.sweep(now) for now in (ahead, ahead + SWEEP_GRACE_S - 1)]
        found = await store.load("c", now=1)

    assert (said("a"),) == there.turns == found.turns
    assert [0, 0] == swept


async def test_what_goes_on_is_marked_no_more(open_store, tmp_path):
    """A marked conversation that is added to begins another life, and is not deleted for its old mark."""
    async with open_store(tmp_path / "exai.db") as store:
        await store.append("c", (said("a"),), now=0, expires_at=10)
        await store.sweep(20)
        await store.append("c", (said("b"),), now=21, expires_at=20 + SWEEP_GRACE_S)
        swept = await store.sweep(20 + SWEEP_GRACE_S)
        found = await store.load("c", now=30)

    assert swept == 0
    assert (said("a"), said("b")) == found.turns


async def test_a_turn_with_a_key_is_kept_once(open_store, tmp_path):
    """Whatever it is added to the second time; a turn without a key is kept as often as it comes."""
    exchange = (said("q", key="k1"), said("a", role="assistant", key="k2"))
    async with open_store(tmp_path / "exai.db") as store:
        counts = [await store.append("c", exchange, now=0, expires_at=10) for _ in range(2)]
        other = await store.append("d", exchange, now=0, expires_at=10)
        await store.append("e", (said("x"), said("x")), now=0, expires_at=10)
        found = {name: await store.load(name, 1) for name in "cde"}
        under = [await store.kept_under(keys, 1) for keys in (("k2",), ("no", "k1"), ("no", ""))]

    assert ([2, 2], 0) == (counts, other)
    assert exchange == found["c"].turns
    assert found["d"] is None
    assert 2 == len(found["e"].turns)
    assert ["c", "c", None] == under


async def test_what_is_kept_is_its_principals_alone(open_store, tmp_path):
    """Another principal neither reads nor adds to a conversation, nor learns by a key that it is there."""
    async with open_store(tmp_path / "exai.db") as store:
        await store.append("mine", (said("a", key="k"),), now=0, expires_at=10)
        other = store.of("jwt:b")
        with pytest.raises(StorageError):
            await other.append("mine", (said("b"),), now=1, expires_at=99)
        with pytest.raises(StorageError):
            await other.add_step("mine", Step(tool="x", at=1.0, data={}), now=1, expires_at=99)
        seen = (await other.load("mine", 1), await other.steps("mine", 1))
        under = await other.kept_under(("k",), 1)
        found = await store.of("owner").load("mine", 1)

    assert ((None, ()), None) == (seen, under)
    assert ((said("a", key="k"),), 10) == (found.turns, found.expires_at)


async def test_the_newest_time_is_of_what_is_kept(open_store, tmp_path):
    """None in an empty store; then the newest row's, until a clock has been noted as right."""
    async with open_store(tmp_path / "exai.db") as store:
        if not hasattr(store, "newest_at"):
            pytest.skip("the hosted side has the database's clock")
        empty = await store.newest_at()
        await store.append("c", (attrs.evolve(said("a"), at=7.0),), now=5, expires_at=10)
        newest = await store.newest_at()
        for at in (30.0, 20.0):
            await store.note_time(at)
        noted = await store.newest_at()

    assert (None, 7.0, 20.0) == (empty, newest, noted)


@pytest.mark.parametrize(
    "turn", [said("half \ud83d"), said("x", extra={"k": "\udc00"}), said("x", extra={"k": {1j}})]
)
async def test_what_cannot_be_stored_is_refused_whole(open_store, tmp_path, turn):
    """A turn that no store can hold is a StorageError, and none of the turns given with it is kept."""
    async with open_store(tmp_path / "exai.db") as store:
        with pytest.raises(StorageError):
            await store.append("c", (said("good"), turn), now=0, expires_at=10)
        found = await store.load("c", now=1)

    assert found is None


async def test_stored_turn_is_a_copy(open_store, tmp_path):
    """Changing what was given, afterwards, changes nothing in the store."""
    extra = {"files": ["a"]}
    async with open_store(tmp_path / "exai.db") as store:
        await store.append("c", (said("x", extra=extra),), now=0, expires_at=10)
        extra["files"].append("b")
        found = await store.load("c", now=1)

    assert {"files": ["a"]} == found.turns[0].extra


async def test_conversations_do_not_mix(open_store, tmp_path):
    """Many tasks appending at once each find their own turns, complete and in order."""
    async with open_store(tmp_path / "exai.db") as store:

        async def talk(name):
            for number in range(5):
                await store.append(name, (said(f"{name}{number}"),), now=0, expires_at=10)

        async with trio.open_nursery() as talking:
            for name in "abcdefgh":
                talking.start_soon(talk, name)
        heard = {name: await store.load(name, now=1) for name in "abcdefgh"}

    assert {n: [f"{n}{i}" for i in range(5)] for n in "abcdefgh"} == {
        name: [turn.text for turn in found.turns] for name, found in heard.items()
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["append", "load", "sweep"]),
        st.sampled_from("ab"),
        st.sampled_from([0, 1, 2, 4, SWEEP_GRACE_S]),
    ),
    max_size=12,
)


@pytest.mark.real
@settings(max_examples=15)
@given(steps=STEPS)
def test_sqlite_behaves_as_the_memory_store(steps, tmp_path_factory):
    """Whatever is done, both stores answer alike; so tests on the memory store tell the truth."""

    async def play(store):
        heard, now = [], 0
        for what, name, step in steps:
            now += step
            if what == "append":
                heard.append(await store.append(name, (said(f"{now}"),), now, now + 5))
            elif what == "load":
                heard.append(await store.load(name, now))
            else:
                heard.append(await store.sweep(now))
        return heard

    async def both():
        async with open_sqlite(tmp_path_factory.mktemp("store") / "exai.db") as sqlite:
            return await play(sqlite), await play(MemoryStore())

    on_sqlite, in_memory = trio.run(both)

    assert in_memory == on_sqlite
