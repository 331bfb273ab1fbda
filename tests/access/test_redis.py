"""A real Redis that is slow, away, full, emptied or asked with a wrong password: no call waits for it, and nobody new gets in."""

import gc

import attrs
import pytest
import trio
from redis_server import redis_server
from token_registries import NOW, issued

from exai_trio.access.quotas import DayTokens, Quotas
from exai_trio.access.redis_connection import open_redis
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.token_claims import Claims
from exai_trio.access.token_registry import Quota
from exai_trio.daemon.connections.standings import Standings
from exai_trio.errors import (
    OverCapacityError,
    ServiceUnavailableError,
    StorageError,
    UnauthorizedError,
)

pytestmark = [
    pytest.mark.real,
    # Its client leaves streams in memory unclosed when a connection breaks.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def left_to_nobody():
    """What its client leaves is collected here, and complained of in no other test."""
    yield
    gc.collect()


ANN = Claims(subject="ann", ends=NOW + 60, issued_at=NOW, token_id="t1", is_registered=True)
BOB = attrs.evolve(ANN, subject="bob", token_id="t2")


def standings_of(registry, at=lambda: NOW):
    return Standings(registry, at, lambda *_: None)


async def outcome(standings, claims):
    try:
        return await standings.admit(claims, "::1") and "in"
    except (ServiceUnavailableError, UnauthorizedError) as fault:
        return fault.code


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_while_redis_is_away_those_known_go_on_and_nobody_new_comes(how):
    """Both are told soon; a minute later nobody is known; once it is back all is as before."""
    clock, told = [NOW], []
    async with redis_server() as server, open_redis(server.url, "d1") as redis:
        redis.most_s = 0.5
        registry = RedisRegistry(attrs.evolve(redis, most_s=5.0))
        await registry.add(issued())
        await registry.add(issued("t2", subject="bob"))
        standings = standings_of(RedisRegistry(redis), lambda: clock[0])
        standings.trouble = lambda _name, text: told.append(text)
        await _warm(redis)
        before = await outcome(standings, ANN)
        server.pause() if how == "stopped" else server.kill()
        away = [await outcome(standings, claims) for claims in (ANN, BOB)]
        clock[0] += 61
        later = await outcome(standings, ANN)
        await (server.start() if how == "killed" else server.go_on())
        await _warm(redis)
        await standings.look()
        again = await outcome(
            standings, BOB
        )  # of a killed one the memory is gone, and with it who was revoked

    assert "in" == before
    assert ["in", "SERVICE_UNAVAILABLE"] == away
    assert "SERVICE_UNAVAILABLE" == later
    assert {"stopped": "in", "killed": "UNAUTHORIZED"}[how] == again
    assert told
    assert told[0]
    assert told[-1] is None


async def _warm(redis):
    """Until it answers in time."""
    with trio.fail_after(20):
        while True:
            try:
                await redis.run("return 1", [], [])
            except StorageError:
                await trio.sleep(0.02)
            else:
                return


async def test_what_was_emptied_lets_no_issued_token_in():
    async with redis_server() as server, open_redis(server.url, "d1", patient=True) as redis:
        registry = RedisRegistry(redis)
        await registry.add(issued())
        before = await outcome(standings_of(registry), ANN)
        await redis.run("return redis.call('FLUSHALL')", [], [])
        after = await outcome(standings_of(registry), ANN)

    assert ("in", "UNAUTHORIZED") == (before, after)


@pytest.mark.parametrize("trouble", ["password", "memory"])
async def test_a_redis_that_refuses_is_one_that_is_away(trouble):
    """A wrong password; no memory for what is to be written."""
    options = {"password": ("--requirepass", "right"), "memory": ("--maxmemory", "1", "--maxmemory-policy", "noeviction")}  # fmt: skip
    async with (
        redis_server(*options[trouble]) as server,
        open_redis(server.url, "d1", patient=True) as redis,
    ):
        with pytest.raises(StorageError) as refused:
            await RedisRegistry(redis).add(issued())

    assert "REDIS_URL" in refused.value.message


async def test_a_quota_of_a_minute_holds_over_two_daemons():
    """100 of 300 calls pass, never 101; while Redis is away each daemon counts by itself."""

    async def since(_at):
        return {}

    passed, refused = [0, 0], []
    async with redis_server() as server, open_redis(server.url, "d1", patient=True) as redis:
        daemons = [
            Quotas(DayTokens(since), trio.current_time, lambda: NOW, rates=RedisRegistry(redis))
            for _ in range(2)
        ]

        async def ask(number):
            try:
                place = await daemons[number].take("jwt:ann")
            except OverCapacityError as refusal:
                refused.append(refusal.details["reason"])
            else:
                place.give_back()
                passed[number] += 1

        async with trio.open_nursery() as nursery:
            for daemon in daemons:
                daemon.tell("jwt:ann", Quota(calls_per_minute=100))
            for turn in range(300):
                nursery.start_soon(ask, turn % 2)
        server.kill()
        redis.most_s = 0.05
        alone = await daemons[0].take("jwt:ann") if passed[0] < 100 else None

    assert 100 == sum(passed)
    assert min(passed) > 0
    assert alone is not None
    assert daemons[1].running("jwt:ann") == 0
