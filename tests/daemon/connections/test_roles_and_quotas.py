"""What a role, a revocation and a quota do to a client of a running daemon."""

import sys
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import jwt
import pytest
import trio

from exai_trio.access.token_registry import Quota
from exai_trio.daemon.connections.standings import Standings
from exai_trio.errors import StorageError
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import (
    Bye,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    ErrorReply,
    HelloAck,
    Ping,
    Pong,
    RotateToken,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "access"))
from token_registries import MemoryRegistry, issued

SECRET = "a secret that is long enough for its algorithm"
NOW = 1_790_000_000


def signed(sub="ann", **claims) -> str:
    return jwt.encode({"sub": sub, "exp": NOW + 3600, "iat": NOW, **claims}, SECRET)


def of_entry(entry, **claims) -> str:
    return signed(entry.subject, jti=entry.id, role=entry.role, exai=1, **claims)


@asynccontextmanager
async def with_registry(house, registry, **settings):
    """A daemon that asks this registry, each second."""
    async with house(jwt_secret_key=SECRET, **settings) as daemon, trio.open_nursery() as nursery:
        standings = Standings(registry, daemon.context.clock.now, daemon.environment.quotas.tell)
        auth = attrs.evolve(daemon.parts.auth, standings=standings)
        daemon.tree = attrs.evolve(daemon.tree, server=attrs.evolve(daemon.server, auth=auth))
        nursery.start_soon(standings.run)
        yield daemon
        nursery.cancel_scope.cancel()


async def test_a_viewer_calls_and_cancels_nothing(house, autojump_clock):
    """Its one answer is UNAUTHORIZED, and nothing was begun; the call of its own that another token began goes on."""
    async with house(jwt_secret_key=SECRET) as daemon:
        async with daemon.connect(jwt=signed(), session_id="win") as (user, _):
            await user.nap("r1", seconds=40)
            await user.hear_until(CallAccepted)
        viewing = daemon.connect(
            jwt=signed(role="viewer"), session_id="win", last_seq=user.last_seq
        )
        async with viewing as (viewer, ack):
            await viewer.nap("r2")
            called = await viewer.hear_until(CallFailed)
            await viewer.say(
                Cancel(request_id="r1"), RotateToken(old="x" * 16, new="y" * 16, request_id="r3")
            )
            cancelled, rotated = (
                await viewer.hear_until(ErrorReply),
                await viewer.hear_until(ErrorReply),
            )
            done = await viewer.hear_until(CallResult)

    assert ack.resumed
    assert ("r2", "UNAUTHORIZED") == (called.request_id, called.error.code)
    assert [("r1", "UNAUTHORIZED"), ("r3", "UNAUTHORIZED")] == [
        (one.request_id, one.error.code) for one in (cancelled, rotated)
    ]
    assert ("r1", 1) == (done.request_id, daemon.naps.started)


@pytest.mark.parametrize("how", ["revoke", "revoke_all"])
async def test_what_is_revoked_ends_within_seconds(house, autojump_clock, how):
    """Refused at once; the live connection ends with 4003, its call goes on; others stay."""
    registry, mine, other = MemoryRegistry(), issued(), issued("t2", subject="bob")
    await registry.add(mine)
    await registry.add(other)
    async with (
        with_registry(house, registry) as daemon,
        daemon.connect(jwt=of_entry(mine), session_id="win") as (client, _),
        daemon.connect(token=of_entry(other)) as (bob, _),
    ):
        await client.nap("r1", seconds=60)
        await client.hear_until(CallAccepted)
        began = trio.current_time()
        if how == "revoke":
            await registry.revoke("t1", NOW)
        else:
            await registry.revoke_all("ann", NOW + 1, NOW + 99)
        async with daemon.connect(jwt=of_entry(mine)) as (_, refused):
            pass
        at_once = trio.current_time() - began
        bye = await client.hear_until(Bye)
        took = trio.current_time() - began
        await bob.say(Ping(request_id=1))
        still = await bob.hear_until(Pong)
        left = daemon.calls.working()

    assert (False, "unauthorized") == (refused.ok, refused.error)
    assert at_once < 0.1
    assert "token revoked" == bye.reason
    assert took <= 5
    assert 1 == still.request_id
    assert 1 == len(left)
    assert mine.id in registry.tokens
    assert registry.tokens["t1"].used_at


class UnevenRegistry(MemoryRegistry):
    """What is there takes longer to read."""

    async def look_up(self, token_id, subject):
        await trio.sleep(0.005 if token_id in self.tokens else 0.001)
        return await super().look_up(token_id, subject)


async def test_no_refusal_tells_by_its_time_what_was_wrong(house, autojump_clock):
    """Revoked, unknown, expired, signed by nobody, no token at all: all wait equally long, and who is let in waits for nothing."""
    registry, good, revoked = UnevenRegistry(), issued("t2"), issued()
    await registry.add(good)
    await registry.add(attrs.evolve(revoked, revoked_at=NOW))
    lost = of_entry(issued("t3"))
    wrong = [of_entry(revoked), lost, lost + "x", signed(exp=NOW - 60), "no token", None]
    took = {}
    async with with_registry(house, registry) as daemon:
        for shown in (of_entry(good), *wrong):
            began = trio.current_time()
            async with daemon.connect(token=shown) as (_, ack):
                took.setdefault(ack.ok, []).append(trio.current_time() - began)

    assert [0.005] == [round(each, 6) for each in took[True]]
    assert [0.02] * len(wrong) == [round(each, 6) for each in took[False]]


async def test_a_registry_that_cannot_be_asked_lets_nobody_new_in(house, autojump_clock):
    """They hear when to come again; who is in goes on."""
    registry = MemoryRegistry()
    async with (
        with_registry(house, registry) as daemon,
        daemon.connect(jwt=signed()) as (client, _),
    ):
        registry.fault = StorageError("it is away")
        async with daemon.connect(jwt=signed()) as (_, known):
            pass
        async with daemon.connect(jwt=signed("bob")) as (late, ack):
            with pytest.raises(PeerGone) as gone:
                await late.hear()
        await trio.sleep(5)
        await client.nap("r1")
        done = await client.hear_until(CallResult)

    assert (False, "service_unavailable", 1013) == (ack.ok, ack.error, gone.value.code)
    assert known.ok
    assert ack.retry_after_s > 0
    assert done.request_id == "r1"


async def test_an_entry_that_is_gone_is_no_good(house, autojump_clock):
    """What was written down and is not found was perhaps revoked; what nobody ever wrote down is taken."""
    async with with_registry(house, MemoryRegistry()) as daemon:
        async with daemon.connect(jwt=of_entry(issued())) as (_, lost):
            pass
        async with daemon.connect(jwt=signed()) as (_, free):
            pass

    assert (False, True) == (lost.ok, free.ok)


async def test_a_quota_refuses_before_anything_is_kept(house, journal, autojump_clock):
    """As the first frame, with the reason and a time; a repeated request costs nothing; a place is free when its call is over, and a new
    quota holds without a new token."""
    registry, entry = MemoryRegistry(), issued(quota=Quota(calls_per_minute=3, concurrent=1))
    await registry.add(entry)
    async with (
        with_registry(house, registry, journal=journal) as daemon,
        daemon.connect(jwt=of_entry(entry), session_id="win") as (client, _),
    ):
        await client.nap("r1", seconds=5)
        await client.hear_until(CallAccepted)
        second = await _refused(client, "r2")
        started = daemon.naps.started
        await client.nap("r1", seconds=5)  # the same again
        await client.hear_until(CallResult)
        await client.nap("r3", seconds=9)
        await client.hear_until(CallAccepted)
        await client.say(Cancel(request_id="r3"))
        await client.hear_until(CallFailed)
        await client.nap("r4")
        await client.hear_until(CallResult)
        fifth = await _refused(client, "r5")
        await registry.set_quota("t1", Quota())
        await trio.sleep(2)
        await client.nap("r6")
        await client.hear_until(CallResult)
        running = daemon.environment.quotas.running("jwt:ann")

    assert (("r2", "OVER_CAPACITY", "concurrent"), 1) == (_told(second), started)
    assert ("r5", "OVER_CAPACITY", "rate") == _told(fifth)
    assert 0 < fifth.error.retry_after_s <= 60
    assert 0 == running


async def _refused(client, request_id):
    """The first frame after the request."""
    await client.nap(request_id)
    return await client.hear()


def _told(failed):
    return failed.request_id, failed.error.code, failed.error.details["reason"]


async def test_places_return_whatever_ends_a_call(house, autojump_clock):
    """A fault, a cancel, a deadline, a client that never comes back."""
    async with house(jwt_secret_key=SECRET, session_grace_s=1.0) as daemon:
        quotas = daemon.environment.quotas
        quotas.tell("jwt:ann", Quota(concurrent=9))
        async with daemon.connect(jwt=signed()) as (client, _):
            await client.nap("r1", fault="on purpose")
            await client.nap("r2", seconds=9)
            await client.nap("r3", seconds=9, timeout_s=1.0)
            await client.say(CallTool(request_id="r4", name="nap", arguments={"seconds": "x"}))
            await trio.sleep(0.1)
            await client.say(Cancel(request_id="r2"))
            await client.nap("r5", seconds=500)
            await trio.sleep(3)
            running = quotas.running("jwt:ann")
        await trio.sleep(5)

    assert (1, 0) == (running, quotas.running("jwt:ann"))


async def test_bad_hellos_are_rated_and_a_good_one_never(house, autojump_clock):
    """After some of them the answer is 1013 with a time, the same for wrong, expired and unknown; the right token comes in meanwhile."""
    shown = [signed(exp=NOW - 60), signed() + "x", "no token at all"]
    async with house(jwt_secret_key=SECRET) as daemon:
        answers, good = [], []
        for number in range(40):
            async with daemon.connect(token=shown[number % 3]) as (client, ack):
                with pytest.raises(PeerGone) as gone:
                    await client.hear()
                answers.append((ack.error, gone.value.code))
            async with daemon.connect(jwt=signed()) as (_, ack):
                good.append(ack.ok)
        refused = list(daemon.parts.auth.log._refused.values())

    assert [True] * 40 == good
    assert {("unauthorized", 4003), ("too_many_refusals", 1013)} == set(answers)
    assert [("unauthorized", 4003)] * 20 == answers[:20]
    assert 40 == sum(refused)
    assert isinstance(ack, HelloAck)
