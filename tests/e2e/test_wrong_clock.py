"""A daemon whose clock stands far beyond all that is stored, as one does that starts days ahead."""

import sqlite3
import time
from contextlib import closing

import pytest
import trio

from exai_trio.storage.base import Turn
from exai_trio.storage.sqlite.store import open_sqlite

pytestmark = pytest.mark.real

HOUR_S = 3600.0


async def _begun(path, *, at, expires_at):
    turn = Turn(role="user", text="kept", tool="chat", at=at)
    async with open_sqlite(path) as store:
        await store.append("c", (turn,), at, expires_at)


def _marks(path):
    with closing(sqlite3.connect(path, timeout=10)) as other:
        return other.execute("SELECT id, marked_at IS NOT NULL FROM conversations").fetchall()


@pytest.mark.parametrize("restarts", [1, 2])
async def test_it_deletes_nothing(new_place, start, until, restarts):
    """49 hours beyond the newest row: what has expired by it is not even marked, in a second start neither, though rows have
    been written at that time."""
    place, now = new_place(), time.time()
    path = place.exai / "state" / "exai.db"
    await _begun(path, at=now - 49 * HOUR_S, expires_at=now - 25 * HOUR_S)
    said = "nothing old is deleted until the clock has been right for an hour"
    for number in range(1, restarts + 1):
        daemon = start(place)
        async with place.client() as one:
            await one.outcome("r1", prompt="a row of now")
        await until(lambda n=number: place.logged(said) >= n)
        await trio.to_thread.run_sync(daemon.end)

    assert [("c", 0)] == _marks(path)


async def test_a_clock_that_is_right_marks_what_has_expired(new_place, start, until):
    """At once, and it is kept for the grace."""
    place, now = new_place(), time.time()
    path = place.exai / "state" / "exai.db"
    await _begun(path, at=now - 600, expires_at=now - 300)
    start(place)

    assert await until(lambda: _marks(path) == [("c", 1)])
