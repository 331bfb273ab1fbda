"""This machine's side of a mirror, on its own: what comes from the other side, and what is told to it, in one file."""

import pytest

from exai_trio.storage.base import Turn
from exai_trio.storage.hosted.outbox_entries import Applied, Mark, Tail
from exai_trio.storage.sqlite.mirrored.local_side import LocalSide
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.store import open_sqlite

END = 4_000_000_000.0


def beyond(mark, *numbers):
    """What the other side has after it."""
    turns = [(n, Turn(role="user", text=f"{n}", tool="chat", at=1.0, key=f"k{n}")) for n in numbers]
    return mark, Tail(
        principal="owner", name="", created_at=1.0, expires_at=END, turns=tuple(turns)
    )


@pytest.fixture
async def side(tmp_path):
    async with open_sqlite(tmp_path / "exai.db") as store:
        yield LocalSide(store, SqliteOutbox(store))


async def all_arrives(side):
    sent = await side.outbox.batch(100)
    await side.outbox.settle(sent, tuple(Applied(id=entry.id) for entry in sent))


async def test_an_answer_that_comes_after_a_deletion_brings_nothing_back(side):
    """Also when the other side has heard of the deletion by then: it was asked before that for what is beyond turn 2."""
    await side.take("c", *beyond(Mark(), 1, 2))
    asked_from = await side.mark("c")
    await side.delete("c", 2.0)
    await all_arrives(side)
    await side.take("c", *beyond(asked_from, 3))

    assert await side.load("c", 2.0) is None


async def test_two_answers_to_the_same_question_are_taken_once(side):
    """And a later one goes on behind them."""
    for answer in (beyond(Mark(), 1, 2), beyond(Mark(), 1, 2), beyond(Mark(messages=2), 3)):
        await side.take("c", *answer)

    assert ["1", "2", "3"] == [turn.text for turn in (await side.load("c", 2.0)).turns]
