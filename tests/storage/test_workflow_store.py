"""The contract of WorkflowStore, held by every store."""

import attrs
import pytest
import trio
from every_store import STORES, opener

from exai_trio.errors import StorageError
from exai_trio.storage.base import SWEEP_GRACE_S, Step, Turn
from exai_trio.storage.sqlite.store import open_sqlite


@pytest.fixture(params=STORES)
async def store(request, tmp_path):
    async with opener(request)(tmp_path / "exai.db") as opened:
        yield opened


def noted(text, tool="debug"):
    return Step(tool=tool, at=1.0, data={"text": text, "deep": {"n": [1, 2.5, None, "é 🙂"]}})


async def test_nothing_noted_is_nothing(store):
    """A conversation that nobody began, or that has only turns, has no steps."""
    await store.append("c", (Turn(role="user", text="x", tool="chat", at=1.0),), 0, 10)

    assert () == await store.steps("nobody", now=0)
    assert () == await store.steps("c", now=0)


async def test_steps_come_back_as_given(store):
    """Steps come back in order with every field, of all tools; adding one returns all that are there then."""
    first = await store.add_step("c", noted("a"), now=0, expires_at=10)
    second = await store.add_step("c", noted("b", tool="planner"), now=0, expires_at=10)

    assert (noted("a"),) == first
    assert (noted("a"), noted("b", tool="planner")) == second
    assert second == await store.steps("c", now=1)


async def test_a_step_begins_and_prolongs_its_conversation(store):
    """The conversation is there from the first step, without turns, and ends when the newest step says; turns join it."""
    await store.add_step("c", noted("a"), now=0, expires_at=10)
    found = await store.load("c", now=5)
    await store.add_step("c", noted("b"), now=5, expires_at=20)
    await store.append("c", (Turn(role="user", text="x", tool="chat", at=1.0),), 6, 30)
    later = await store.load("c", now=25)

    assert (("c", 10, ()), 30, 1) == (
        (found.id, found.expires_at, found.turns),
        later.expires_at,
        len(later.turns),
    )
    assert len(await store.steps("c", now=25)) == 2


async def test_a_step_comes_with_the_turns_that_it_ends(store):
    """It stands behind the steps before it, once; and not without turns that may not be added."""
    turns = tuple(
        Turn(role=role, text="x", tool="debug", at=1.0, key=role) for role in ("user", "assistant")
    )
    last = attrs.evolve(noted("over"), key="end")
    await store.add_step("c", noted("a"), now=0, expires_at=10)
    for _ in range(2):
        await store.append("c", turns, 0, 20, last)
    with pytest.raises(StorageError):
        await store.of("jwt:b").append("c", turns, 0, 20, noted("never"))
    found = await store.load("c", now=15)

    assert ["user", "assistant"] == [turn.role for turn in found.turns]
    assert (noted("a"), last) == await store.steps("c", now=15)


async def test_a_character_that_postgresql_does_not_hold_is_replaced_there_alone(store):
    """U+0000 is what it was, or U+FFFD; an escape that merely looks like it is what it was."""
    step = Step(tool="debug", at=1.0, data={"text": "a\x00b \\u0000"})
    (found,) = await store.add_step("c", step, now=0, expires_at=10)

    assert found.data["text"] in {"a\x00b \\u0000", "a\ufffdb \\u0000"}


async def test_steps_end_with_their_conversation(store):
    """Expired steps are gone at once, and go on if a step is added all the same, unless they were swept."""
    await store.add_step("c", noted("old"), now=0, expires_at=10)
    at_expiry = await store.steps("c", now=10)
    gone_on = await store.add_step("c", noted("new"), now=11, expires_at=20)
    swept = [await store.sweep(now) for now in (20, 20 + SWEEP_GRACE_S)]
    late = 21 + SWEEP_GRACE_S
    after = await store.add_step("c", noted("newest"), now=late, expires_at=late + 9)

    assert at_expiry == ()
    assert (noted("old"), noted("new")) == gone_on
    assert [0, 1] == swept
    assert (noted("newest"),) == after


async def test_a_step_with_a_key_is_kept_once(store):
    """Adding it again changes nothing and gives what is there."""
    keyed = attrs.evolve(noted("a"), key="k")
    first = await store.add_step("c", keyed, now=0, expires_at=10)
    second = await store.add_step("c", attrs.evolve(keyed, at=2.0), now=1, expires_at=10)

    assert (keyed,) == first == second
    assert "c" == await store.kept_under(("k",), 1)


@pytest.mark.parametrize("data", [{"k": "\udc00"}, {"k": {1j}}])
async def test_what_cannot_be_stored_is_refused(store, data):
    """A step that no store can hold is a StorageError and leaves nothing."""
    with pytest.raises(StorageError):
        await store.add_step("c", Step(tool="debug", at=1.0, data=data), now=0, expires_at=10)

    assert () == await store.steps("c", now=1)


async def test_a_stored_step_is_a_copy(store):
    """Changing what was given, afterwards, changes nothing in the store."""
    data = {"files": ["a"]}
    await store.add_step("c", Step(tool="debug", at=1.0, data=data), now=0, expires_at=10)
    data["files"].append("b")

    assert {"files": ["a"]} == (await store.steps("c", now=1))[0].data


async def test_steps_at_the_same_time_are_all_kept(store):
    """Tasks that add steps at once, to one conversation or to many, lose none and see only their own conversation."""
    seen = []

    async def work(number):
        found = await store.add_step("shared", noted(f"{number}"), now=0, expires_at=10)
        seen.append(len(found))
        for turn in range(3):
            await store.add_step(f"own{number}", noted(f"{number}.{turn}"), now=0, expires_at=10)

    async with trio.open_nursery() as working:
        for number in range(8):
            working.start_soon(work, number)
    shared = await store.steps("shared", now=1)
    own = await store.steps("own3", now=1)

    assert list(range(1, 9)) == sorted(seen)
    assert {f"{n}" for n in range(8)} == {step.data["text"] for step in shared}
    assert ["3.0", "3.1", "3.2"] == [step.data["text"] for step in own]


@pytest.mark.real
async def test_steps_survive_a_restart(tmp_path):
    """What one life of the SQLite store noted, the next one reads."""
    async with open_sqlite(tmp_path / "exai.db") as store:
        await store.add_step("c", noted("before"), now=0, expires_at=10)
    async with open_sqlite(tmp_path / "exai.db") as store:
        found = await store.steps("c", now=1)

    assert (noted("before"),) == found
