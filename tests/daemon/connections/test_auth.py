"""Nobody's connection lasts longer than what it was let in by."""

from contextlib import suppress

import jwt
import pytest
import trio
from trio.testing import lockstep_stream_pair

from exai_trio.daemon.connections.identity import Identity
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import Bye, CallResult, Ping, Pong, RotateToken, TokenRotated

SECRET = "a secret that is long enough for its algorithm"
OLD, NEW, NEWER = "old-token-of-us-all", "new-token-of-us-all", "newer-token-of-us-all"
NOW = 1_790_000_000
GOOD = {"sub": "ann", "exp": NOW + 20}


async def test_a_connection_ends_with_its_jwt(house, autojump_clock):
    """bye and 4003 at `exp`; the call goes on, and its result is there for the next JWT of the same person."""
    async with house(jwt_secret_key=SECRET) as daemon:
        async with daemon.connect(jwt=jwt.encode(GOOD, SECRET), session_id="win") as (client, _):
            await client.nap("r1", seconds=40)
            bye = await client.hear_until(Bye)
            ended = trio.current_time()
            with pytest.raises(PeerGone) as gone:
                await client.hear_until(Bye)
        later = jwt.encode({"sub": "ann", "exp": NOW + 3600}, SECRET)
        async with daemon.connect(jwt=later, session_id="win", last_seq=client.last_seq) as (client, ack):  # fmt: skip
            result = await client.hear_until(CallResult)

    assert ("token expired", 0.0) == (bye.reason, bye.retry_after_s)
    assert 4003 == gone.value.code
    assert 20 <= ended < 21
    assert (True, "r1") == (ack.resumed, result.request_id)


async def test_nothing_is_heard_of_one_whose_jwt_has_ended(house, autojump_clock):
    """Who does not read the goodbye has a second, is gone then, and is not listened to meanwhile."""
    good = jwt.encode(GOOD, SECRET)
    async with (
        house(jwt_secret_key=SECRET) as daemon,
        daemon.connect(lockstep_stream_pair, jwt=good) as (client, _),
    ):
        await trio.sleep_until(18)
        for number in range(60):  # answered, and not read
            await client.say(Ping(request_id=number))
            await trio.sleep(0.01)
        await trio.sleep_until(20.5)
        there = daemon.counted.connections
        with trio.move_on_after(0.1), suppress(PeerGone):
            await client.nap("late")
        await trio.sleep_until(22)
        left = daemon.counted.connections

    assert (1, 0, 0) == (there, left, daemon.naps.started)


async def test_a_clock_that_is_set_ends_it_too(autojump_clock):
    """The end is a time of day: it is looked at again."""
    hours = [0.0]
    identity = Identity("jwt:ann", ends=NOW + 7200)
    async with trio.open_nursery() as nursery:

        async def set_clock():
            await trio.sleep(10)
            hours[0] = 3 * 3600

        nursery.start_soon(set_clock)
        why = await identity.wait_over(lambda: NOW + hours[0])
        took = trio.current_time()

    assert ("token expired", True) == (why, took <= 60)


async def test_rotation_ends_the_others(house, autojump_clock):
    """Who showed the old token hears bye and 4003; who rotated it, and who came by a JWT, go on; the next rotation ends those
    who came by the second token."""
    async with house(ws_token=OLD, jwt_secret_key=SECRET) as daemon:
        known = jwt.encode({"sub": "ann", "exp": NOW + 3600}, SECRET)
        async with (
            daemon.connect(token=OLD) as (rotator, _),
            daemon.connect(token=OLD) as (other, _),
            daemon.connect(jwt=known) as (ann, _),
        ):
            await rotator.say(RotateToken(old=OLD, new=NEW, request_id="r"))
            done = await rotator.hear()
            first = await _dismissed(other)
            async with daemon.connect(token=NEW) as (late, ack), daemon.connect(token=OLD) as (_, refused):  # fmt: skip
                await ann.say(RotateToken(old=NEW, new=NEWER, request_id="s"))
                again = await ann.hear()
                second = [await _dismissed(one) for one in (late, rotator)]
            await ann.say(Ping(request_id="here"))
            still = await ann.hear()

    assert (TokenRotated(ok=True, request_id="r"), True) == (done, again.ok)
    assert [("token rotated", 4003)] * 3 == [first, *second]
    assert (True, False) == (ack.ok, refused.ok)
    assert Pong(request_id="here") == still


async def _dismissed(client) -> tuple[str, int]:
    bye = await client.hear_until(Bye)
    with pytest.raises(PeerGone) as gone:
        await client.hear()
    return bye.reason, gone.value.code


@pytest.mark.parametrize("settings", [{}, {"ws_token": "none"}])
async def test_what_nobody_has_set_cannot_be_rotated(house, autojump_clock, settings):
    """The token of the home is a file: it is changed there."""
    async with house(**settings) as daemon, daemon.connect() as (client, _):
        await client.say(RotateToken(old="", new=NEW, request_id="r"))
        refused = await client.hear()

    assert "UNAUTHORIZED" == refused.error.code
