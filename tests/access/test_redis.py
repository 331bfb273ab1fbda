"""A real Redis that is slow, away, full, emptied or asked with a wrong password: no call waits for it, and nobody new gets in."""

import gc
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address

import attrs
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis_server import redis_server, slow_way
from token_registries import NOW, issued

from exai_trio.access.quotas import DayTokens, Quotas
from exai_trio.access.redis_connection import open_redis
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.token_claims import Claims
from exai_trio.access.token_registry import Quota
from exai_trio.commands.access.redis_checks import look
from exai_trio.config import Config
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


async def test_nobody_waits_longer_than_50_ms_for_a_slow_redis():
    """200 ms away: who was known goes on, nobody new comes in, and a call is counted here alone; later all is as before."""

    async def since(_at):
        return {}

    async with (
        redis_server() as server,
        slow_way(server.port) as way,
        open_redis(way.url, "d1") as redis,
    ):
        registry = RedisRegistry(redis)
        patient = RedisRegistry(attrs.evolve(redis, most_s=5.0))
        await patient.add(issued())
        standings = standings_of(registry)
        quotas = Quotas(DayTokens(since), trio.current_time, lambda: NOW, rates=registry)
        quotas.tell("jwt:ann", Quota(calls_per_minute=1))
        await _warm(redis)
        known = await _until("in", standings, ANN)
        way.delay_s = 0.2
        with pytest.raises(StorageError) as late:
            await registry.look_up("t1", "ann")
        away = [await outcome(standings, claims) for claims in (ANN, BOB)]
        place = await quotas.take("jwt:ann")
        with pytest.raises(OverCapacityError):
            await quotas.take("jwt:ann")
        way.delay_s = 0.0
        await _warm(redis)
        later = await _until("UNAUTHORIZED", standings, BOB)

    assert "50 ms" in late.value.message
    assert ("in", ["in", "SERVICE_UNAVAILABLE"], "UNAUTHORIZED") == (known, away, later)
    assert place is not None


async def test_a_hello_and_a_call_cost_a_round_trip_each_and_no_key_stays_for_ever():
    """Nor is Redis ever asked which keys it has."""

    async def since(_at):
        return {}

    async with (
        redis_server() as server,
        slow_way(server.port) as way,
        open_redis(way.url, "d1", patient=True) as redis,
    ):
        registry = RedisRegistry(redis)
        await registry.add(issued())
        await registry.add(issued("t2", subject="bob"))
        quotas = Quotas(DayTokens(since), trio.current_time, lambda: NOW, rates=registry)
        quotas.tell("jwt:ann", Quota(calls_per_minute=9))
        costs = []
        for _ in range(2):  # the first time Redis is told the scripts
            for asking in (partial(outcome, standings_of(registry), ANN), partial(quotas.take, "jwt:ann")):  # fmt: skip
                before = way.asked
                await asking()
                costs.append(way.asked - before)
        await registry.revoke("t2", NOW)
        await registry.revoke_all("bob", NOW, NOW + 60)
        await registry.note_uses({"t1": (NOW, "::1")})
        await registry.changes(0)
        asked = await redis.run("return redis.call('INFO', 'commandstats')", [], [])
        names = await redis.run("return redis.call('KEYS', '*')", [], [])
        lasting = [one for one in names if await redis.run(f"return redis.call('TTL', '{one}')", [], []) < 0]  # fmt: skip

    assert [1, 1] == costs[2:]
    assert "cmdstat_keys:" not in asked
    assert len(names) >= 6
    assert [] == lasting


async def _until(wanted, standings, claims):
    """On a machine that is busy 50 ms can be too short for a Redis that is near."""
    with trio.fail_after(20):
        while (found := await outcome(standings, claims)) != wanted:
            assert found == "SERVICE_UNAVAILABLE"
            await trio.sleep(0.02)
    return found


async def test_what_was_emptied_lets_no_issued_token_in():
    async with redis_server() as server, open_redis(server.url, "d1", patient=True) as redis:
        registry = RedisRegistry(redis)
        await registry.add(issued())
        before = await outcome(standings_of(registry), ANN)
        await redis.run("return redis.call('FLUSHALL')", [], [])
        after = await outcome(standings_of(registry), ANN)

    assert ("in", "UNAUTHORIZED") == (before, after)


@pytest.mark.parametrize("trouble", ["no password", "wrong password", "memory"])
async def test_a_redis_that_refuses_is_one_that_is_away(trouble):
    """No password or a wrong one, which is not repeated; no memory for what is to be written. Nobody new comes in."""
    full = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    options = full if trouble == "memory" else ("--requirepass", "right")
    async with redis_server(*options) as server:
        url = server.url.replace("//", "//:pass-canary@") if "wrong" in trouble else server.url
        async with open_redis(url, "d1", patient=True) as redis:
            with pytest.raises(StorageError) as refused:
                await RedisRegistry(redis).add(issued())
            came = await outcome(standings_of(RedisRegistry(redis)), ANN)

    assert "REDIS_URL" in refused.value.message
    assert "canary" not in refused.value.message
    assert ("UNAUTHORIZED" if trouble == "memory" else "SERVICE_UNAVAILABLE") == came


@pytest.mark.parametrize(("policy", "state"), [("noeviction", "ok"), ("allkeys-lru", "warn")])
async def test_the_doctor_names_a_policy_that_may_evict(policy, state):
    """And a Redis that is not there."""
    async with redis_server("--maxmemory-policy", policy) as server:
        (found,) = await look(Config(redis_url=server.url))
        server.kill()
        (away,) = await look(Config(redis_url=server.url))

    assert (state, True) == (found.state, policy in found.what)
    assert (state == "warn") == ("noeviction" in (found.remedy or ""))
    assert "fault" == away.state


@pytest.mark.parametrize("name", ["127.0.0.1", "192.0.2.7"])
async def test_an_encrypted_redis_must_be_the_one_that_is_named(tmp_path, name):
    """By a certificate of that host, and of who is trusted to vouch for it."""
    _certify(tmp_path, name)
    async with redis_server(tls=tmp_path) as server:
        urls = {"trusted": server.url, "by nobody": server.url.partition("?")[0]}
        ends = {}
        for whose, url in urls.items():
            async with open_redis(url, "d1", patient=True) as redis:
                try:
                    ends[whose] = await redis.run("return 'yes'", [], [])
                except StorageError as fault:
                    ends[whose] = fault.code

    assert {"trusted": "yes" if name == "127.0.0.1" else StorageError.code, "by nobody": StorageError.code} == ends  # fmt: skip


def _certify(folder, address):
    """Files of a certificate for this address, by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(form.Encoding.PEM))
    plain = (form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))


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
