"""What every registry of tokens does, wherever it keeps them."""

from contextlib import asynccontextmanager

import pytest
import trio
from redis_server import redis_server
from token_registries import NOW, MemoryRegistry, issued

from exai_trio.access.redis_connection import open_redis
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.sqlite_registry import SqliteRegistry
from exai_trio.access.token_claims import Claims
from exai_trio.access.token_registry import Quota, Standing
from exai_trio.storage.sqlite.store import open_sqlite


@asynccontextmanager
async def in_memory(_tmp_path):
    yield MemoryRegistry()


@asynccontextmanager
async def in_sqlite(tmp_path):
    async with open_sqlite(tmp_path / "exai.db") as store:
        yield SqliteRegistry(store)


@asynccontextmanager
async def in_redis(_tmp_path):
    async with redis_server() as server, open_redis(server.url, "d1", patient=True) as redis:
        yield RedisRegistry(redis)
        lives = await redis.run(_LIVES, [], [])
    assert not lives, "these keys live for ever"


_LIVES = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
    if redis.call('TTL', key) < 0 then found[#found + 1] = key end
end
return found
"""


@pytest.fixture(params=[in_memory, in_sqlite, pytest.param(in_redis, marks=pytest.mark.real)])
async def kept(request, tmp_path):
    async with request.param(tmp_path) as registry:
        yield registry


async def test_what_is_added_is_found_as_it_was(kept):
    quota = Quota(calls_per_minute=1, concurrent=2, tokens_per_day=3)
    token = issued(role="viewer", scope="terminal", quota=quota)
    await kept.add(token)
    await kept.add(issued("t0", subject="bob", issued_at=NOW - 1))

    assert Standing(token) == await kept.look_up("t1", "ann")
    assert Standing() == await kept.look_up("t2", "ann")
    assert ["t0", "t1"] == [one.id for one in await kept.all()]


async def test_a_revoked_token_stays_known(kept):
    """And is revoked once."""
    await kept.add(issued())
    first, second = await kept.revoke("t1", NOW + 5), await kept.revoke("t1", NOW + 6)
    nobody = await kept.revoke("t2", NOW)

    assert (True, False, False) == (first, second, nobody)
    assert NOW + 5 == (await kept.look_up("t1", "ann")).token.revoked_at


async def test_all_of_a_subject_are_revoked_also_those_that_nobody_wrote_down(kept):
    await kept.add(issued())
    await kept.add(issued("t2", ends=NOW + 1))
    await kept.add(issued("t3", subject="bob"))
    revoked = await kept.revoke_all("ann", NOW + 5, NOW + 100)
    standing = await kept.look_up("", "ann")
    before, after = (Claims(subject="ann", ends=0, issued_at=NOW + by) for by in (5, 6))

    assert (1, NOW + 5) == (revoked, standing.all_revoked_at)
    assert (False, True) == (standing.is_good(before), standing.is_good(after))
    assert Standing() == await kept.look_up("", "bob")
    assert (await kept.look_up("t3", "bob")).token.revoked_at is None


async def test_changes_are_told_once_and_in_any_number(kept):
    await kept.add(issued())
    await kept.add(issued("t2"))
    begun = (await kept.changes(0)).number
    none = await kept.changes(begun)
    await kept.revoke("t1", NOW)
    await kept.set_quota("t2", Quota(concurrent=7))
    await kept.revoke_all("eve", NOW, NOW + 9)
    await kept.note_uses({"t2": (NOW, "::1")})
    told = await kept.changes(begun)

    assert ((), {}) == (none.tokens, none.subjects)
    assert {"t1", "t2"} == {one.id for one in told.tokens}
    assert {"eve": NOW} == told.subjects
    assert told.number > begun
    assert (7, NOW, "::1") == next(
        (one.quota.concurrent, one.used_at, one.used_from) for one in told.tokens if one.id == "t2"
    )


async def test_a_quota_is_set_for_who_is_there(kept):
    await kept.add(issued())

    assert await kept.set_quota("t1", Quota(calls_per_minute=9))
    assert not await kept.set_quota("t2", Quota())
    assert 9 == (await kept.look_up("t1", "ann")).token.quota.calls_per_minute


async def test_what_ended_long_ago_is_forgotten(kept):
    await kept.add(issued())
    await kept.add(issued("t2", ends=NOW + 9000))
    gone = await kept.sweep(NOW + 5000)

    assert gone
    assert ["t2"] == [one.id for one in await kept.all()]


async def test_one_of_many_who_revoke_at_once_has_done_it(kept):
    await kept.add(issued())
    done = []

    async def revoke():
        done.append(await kept.revoke("t1", NOW))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(revoke)

    assert [True] == [one for one in done if one]
