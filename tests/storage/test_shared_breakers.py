"""The contract of SharedBreakers, held by PostgreSQL and by the dict that stands for it in tests."""

from contextlib import asynccontextmanager

import attrs
import pytest
from breakers_in_memory import MemoryBreakers

from exai_trio.storage.postgres.breaker_store import PostgresBreakers
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.shared.shared_breakers import BreakerNews

LEASE_S = 60.0


@asynccontextmanager
async def in_memory(_request):
    yield MemoryBreakers(LEASE_S, now=lambda: 100.0)


@asynccontextmanager
async def in_postgres(request):
    async with open_database(request.getfixturevalue("stage").url, lambda: 0.0) as database:
        yield PostgresBreakers(database, LEASE_S)


@pytest.fixture(
    params=[
        pytest.param(in_memory, id="memory"),
        pytest.param(in_postgres, id="postgres", marks=pytest.mark.real),
    ]
)
def opening(request):
    return request.param(request)


def news(*, opened=(), closed=(), wanted=()):
    return BreakerNews(opened=dict(opened), closed=list(closed), wanted=list(wanted))


async def test_what_one_opens_all_hear_of_until_one_closes_it(opening):
    async with opening as store:
        mine = await store.compare("a", news(opened={"glm": 30.0}))
        theirs = await store.compare("b", news(wanted=["glm"]))
        await store.compare("b", news(closed=["glm"]))
        closed = await store.compare("a", news())

    assert 25 < mine["glm"] <= 30
    assert 25 < theirs["glm"] <= 30
    assert {} == closed


async def test_one_probes_and_what_it_finds_holds(opening):
    async with opening as store:
        await store.compare("a", news(opened={"glm": 0.0}))
        unasked = await store.compare("a", news())
        probes = await store.compare("b", news(wanted=["glm"]))
        waits = await store.compare("a", news(wanted=["glm"]))
        again = await store.compare("b", news())
        await store.compare("b", news(opened={"glm": 30.0}))
        anew = await store.compare("a", news(wanted=["glm"]))

    assert 0 < unasked["glm"] < 1
    assert {"glm": 0.0} == probes == again
    assert 50 < waits["glm"] <= LEASE_S
    assert 25 < anew["glm"] <= 30


async def test_a_probe_that_nobody_makes_goes_to_the_next(opening):
    async with opening as store:
        await store.compare("a", news(opened={"glm": 0.0}))
        brief = attrs.evolve(store, lease_s=0.0)
        await brief.compare("a", news(wanted=["glm"]))
        next_one = await store.compare("b", news(wanted=["glm"]))

    assert {"glm": 0.0} == next_one
