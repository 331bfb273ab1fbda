"""Shares of permits in a real PostgreSQL: never more than there are, and free again a lease later."""

import pytest
import trio

from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.postgres.permit_store import PostgresPermits
from exai_trio.storage.shared.shared_permits import LaneAsk

pytestmark = pytest.mark.real


def ask(share, holds=0):
    return {"glm": LaneAsk(capacity=4, holds=holds, share=share, wanted=share)}


async def test_daemons_get_what_is_free_and_hear_what_others_want(stage):
    async with open_database(stage.url, lambda: 0.0) as database:
        store = PostgresPermits(database, 60.0)
        first = (await store.share("a", ask(3))).lanes["glm"]
        second = (await store.share("b", ask(3))).lanes["glm"]
        more = (await store.share("a", ask(4, holds=3))).lanes["glm"]
        less = (await store.share("a", ask(1))).lanes["glm"]
        third = (await store.share("b", ask(3))).lanes["glm"]

    assert (3, {}) == (first.share, first.others)
    assert (1, {"a": 3}) == (second.share, second.others)
    assert (3, {"b": 3}) == (more.share, more.others)
    assert 1 == less.share
    assert 3 == third.share


async def test_many_that_ask_at_once_get_no_more_than_there_is(stage):
    shares = []

    async def one(store, name):
        shares.append((await store.share(name, ask(2))).lanes["glm"].share)

    async with open_database(stage.url, lambda: 0.0) as database, trio.open_nursery() as asking:
        for number in range(20):
            asking.start_soon(one, PostgresPermits(database, 60.0), f"d{number}")

    assert 4 == sum(shares)


async def test_a_share_that_is_not_asked_for_again_is_free_a_lease_later(stage):
    async with open_database(stage.url, lambda: 0.0) as database:
        await PostgresPermits(database, 0.001).share("gone", ask(4))
        await database.ask("select pg_sleep(0.01)")
        dealt = (await PostgresPermits(database, 60.0).share("b", ask(4))).lanes["glm"]

    assert (4, {}) == (dealt.share, dealt.others)
