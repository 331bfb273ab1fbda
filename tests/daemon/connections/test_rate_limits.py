"""Rates: what is too much is refused under its request id; pings, acks and cancels always pass, but not at any speed."""

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.daemon.connections import rate_limits
from exai_trio.daemon.connections.admission import Admission
from exai_trio.daemon.connections.rate_limits import RateLimits
from exai_trio.resilience.rate import Bucket, Rate
from exai_trio.transport import trusted_proxies
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import (
    CallAccepted,
    CallCancelling,
    CallFailed,
    CallResult,
    Cancel,
    ErrorReply,
    Health,
    HealthReport,
    ListTools,
    Ping,
    Pong,
    RotateToken,
)

SLOW = Rate(per_s=2.0, burst=3.0)


async def test_calls_over_the_rate_are_refused_at_once_and_pass_when_the_time_has_come(
    house, autojump_clock
):
    """The refusal is the first frame, names its request, and says how long to wait; that wait is enough."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        daemon.sessions.table["win"].requests.rate = SLOW
        for number in range(3):
            await client.nap(f"r{number}")
            await client.hear_until(CallResult)
        await client.nap("r3")
        refused = await client.hear()
        await trio.sleep(refused.error.retry_after_s)
        await client.nap("r3")
        accepted = await client.hear()

    assert isinstance(refused, CallFailed)
    assert ("r3", "OVER_CAPACITY", 0.5) == (refused.request_id, refused.error.code, refused.error.retry_after_s)  # fmt: skip
    assert "session_rate" == refused.error.details["limit"]
    assert isinstance(accepted, CallAccepted)
    assert 4 == daemon.naps.started


@pytest.mark.parametrize("message", [ListTools, Health, RotateToken])
async def test_other_requests_over_the_rate_are_told_so(house, autojump_clock, message):
    """With the id that they came with."""
    more = {"old": "x", "new": "y"} if message is RotateToken else {}
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        daemon.sessions.table["win"].requests.rate = attrs.evolve(SLOW, burst=0.5)
        await client.say(message(request_id="q7", **more))
        heard = await client.hear()

    assert isinstance(heard, ErrorReply)
    assert ("q7", "OVER_CAPACITY", 0.3) == (heard.request_id, heard.error.code, heard.error.retry_after_s)  # fmt: skip


async def test_a_client_over_its_rate_can_still_cancel_acknowledge_and_ping(house, autojump_clock):
    """A cancel that were refused would let the work go on that it is to end."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.nap("r1", seconds=50.0)
        await client.hear_until(CallAccepted)
        session = daemon.sessions.table["win"]
        session.requests.rate = attrs.evolve(SLOW, burst=0.5)
        await client.say(Health(request_id="q"))
        refused = await client.hear_until(ErrorReply)
        await client.say(Ping(request_id="p"), Cancel(request_id="r1"))
        pong, cancelling = await client.hear(), await client.hear()
        outcome = await client.hear_until(CallFailed)
        await client.acknowledge()
        await trio.sleep(1)

        assert client.last_seq == session.rules.acked
    assert "OVER_CAPACITY" == refused.error.code
    assert [Pong, CallCancelling] == [type(pong), type(cancelling)]
    assert "CANCELLED" == outcome.error.code


async def test_a_flood_of_pings_is_read_slowly(house, autojump_clock, monkeypatch):
    """None is lost or refused; they take the time that the rate gives them, and a neighbour is answered meanwhile."""
    monkeypatch.setattr(rate_limits, "FRAMES", Rate(per_s=100, burst=200))
    many = 200 + 5 * 100
    async with (
        house() as daemon,
        daemon.connect() as (flooding, _),
        daemon.connect() as (other, _),
    ):
        start = trio.current_time()

        async def flood():
            await flooding.say(*[Ping(request_id=number) for number in range(many)])

        async with trio.open_nursery() as legs:
            legs.start_soon(flood)
            await trio.sleep(2)
            await other.say(Health())
            with trio.fail_after(0.1):
                heard = await other.hear()
            for _ in range(many):
                await flooding.hear()
        took = trio.current_time() - start

    assert isinstance(heard, HealthReport)
    assert 4.9 < took < 6.0


def test_others_have_their_turn_between_many_frames():
    """The reader gives the event loop back each ten frames, whatever its buffer holds."""
    here = RateLimits(Bucket(SLOW), None, lambda: 0.0)
    pauses = [here.pause_s() for _ in range(30)]

    assert [9, 19, 29] == [number for number, pause in enumerate(pauses) if pause is not None]


async def test_an_address_is_limited_over_all_its_sessions(house, autojump_clock, monkeypatch):
    """What one of its sessions took the other does not have; another address has its own."""
    addresses = iter(["192.0.2.1", "192.0.2.1", "192.0.2.2"])
    monkeypatch.setattr(trusted_proxies, "peer_of", lambda _: next(addresses))
    async with house() as daemon:
        buckets = daemon.server.admission.addresses
        async with daemon.connect() as (one, _), daemon.connect() as (two, _):
            buckets.rate = Rate(per_s=0.1, burst=12.1)  # a connection and two requests
            buckets.of("192.0.2.1", 0.0).rate = Rate(per_s=0.1, burst=2.1)
            heard = []
            for client in (one, two, one, two):
                await client.say(Health(request_id="q"))
                heard.append(await client.hear())
            async with daemon.connect() as (three, _):
                await three.say(Health())
                free = await three.hear()

    kinds = [type(message) for message in heard]
    assert [HealthReport, HealthReport, ErrorReply, ErrorReply] == kinds
    assert "address_rate" == heard[2].error.details["limit"]
    assert isinstance(free, HealthReport)


async def test_an_address_that_comes_again_and_again_is_sent_away(
    house, autojump_clock, monkeypatch
):
    """Connections cost, also those that end at once."""
    monkeypatch.setattr(trusted_proxies, "peer_of", lambda _: "192.0.2.1")
    async with house(max_connections_per_ip=1) as daemon:
        daemon.server.admission.addresses.rate = Rate(per_s=1.0, burst=25.0)
        for _ in range(2):
            async with daemon.connect():
                pass
        async with daemon.connect_raw() as client:
            with pytest.raises(PeerGone) as gone:
                await client.hear()

    assert (1008, "too many connections (rate of MAX_CONNECTIONS_PER_IP)") == (gone.value.code, gone.value.reason)  # fmt: skip


def test_this_machine_is_not_limited_by_address():
    """Editors come back all at once after a restart."""
    admission = Admission(Config(max_connections=100_000))

    assert {None} == {admission.take("127.0.0.1", 0.0) for _ in range(10_000)}
    assert 0 == len(admission.addresses)
