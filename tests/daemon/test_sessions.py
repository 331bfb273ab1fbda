"""Sessions outlive connections: resuming, taking over, and ending."""

import pytest
import trio
from trio.testing import memory_stream_pair
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import (
    Bye,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    Hello,
    Ping,
    Pong,
)


def nap(**arguments):
    return CallTool(request_id="r1", name="nap", arguments=arguments)


async def test_a_lost_connection_cancels_nothing_and_the_outcome_is_replayed(house, autojump_clock):
    """The call goes on; a client that comes back with its last number hears what it missed, once, in order."""
    async with house() as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=10.0)
            await client.hear()
            last = client.last_seq
        await trio.sleep(20)
        async with daemon.connect(session_id="win", last_seq=last) as (client, ack):
            outcome = await client.hear()
            await client.say(Ping())
            after = await client.hear()

    assert ack.resumed
    assert isinstance(outcome, CallResult)
    assert isinstance(after, Pong)
    assert 1 == daemon.naps.finished


async def test_the_same_request_again_joins_the_running_call(house, autojump_clock):
    """After a reconnect the client sends its pending call again; the tool runs once."""
    async with house() as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=10.0)
            await client.hear()
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=10.0)
            accepted = [await client.hear(), await client.hear()]
            outcome = await client.hear_until(CallResult)

    assert [CallAccepted, CallAccepted] == [type(m) for m in accepted]
    assert isinstance(outcome, CallResult)
    assert 1 == daemon.naps.started


async def test_a_second_connection_takes_the_session_over(house, autojump_clock):
    """The first one hears bye "superseded" and is closed; the second has the session."""
    async with (
        house() as daemon,
        daemon.connect(session_id="win") as (first, _),
        daemon.connect(session_id="win") as (second, ack),
    ):
        bye = await first.hear()
        with pytest.raises(PeerGone):
            await first.hear()
        await second.say(Ping())
        answer = await second.hear()

    assert Bye(reason="superseded", retry_after_s=0.0) == bye
    assert isinstance(answer, Pong)
    assert not ack.resumed or ack.session_id == "win"


async def test_a_session_nobody_comes_back_to_ends_with_its_calls(house, autojump_clock):
    """After EXAI_SESSION_GRACE_S its calls are cancelled and their permits are free."""
    async with house(session_grace_s=30.0, simple_tool_timeout_secs=900.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=800.0)
            await client.hear()
        await trio.sleep(29)
        alive = set(daemon.sessions.table)
        await trio.sleep(2)

        assert {"win"} == alive
        assert {} == daemon.sessions.table
        assert (1, 24.0) == (daemon.naps.cancelled, daemon.free_permits)
        assert 0 == daemon.shared.figures.running


async def test_a_client_that_comes_back_in_time_keeps_its_session(house, autojump_clock):
    """The grace begins anew each time the client leaves."""
    async with house(session_grace_s=30.0) as daemon:
        for _ in range(3):
            async with daemon.connect(session_id="win") as (client, _):
                await client.nap(seconds=1.0)
                await client.hear_until(CallResult)
            await trio.sleep(25)
        async with daemon.connect(session_id="win") as (_, ack):
            pass

    assert ack.resumed


async def test_a_session_that_holds_nothing_ends_with_its_connection(house, autojump_clock):
    """There is nothing to come back to."""
    async with house() as daemon:
        async with daemon.connect(session_id="win"):
            pass
        await trio.sleep(1)

        assert {} == daemon.sessions.table


async def test_a_peer_that_does_not_answer_pings_is_closed(house, autojump_clock):
    """A half-open connection is found within interval plus timeout; the session and its call stay."""
    async with house() as daemon:
        ours, theirs = memory_stream_pair()
        daemon.connections.start_soon(daemon.server.serve, theirs)
        peer = WSConnection(ConnectionType.CLIENT)
        await ours.send_all(peer.send(Request(host="localhost", target="/")))
        peer.receive_data(await ours.receive_some())
        assert list(peer.events())
        for message in (Hello(session_id="win", protocol=2), nap(seconds=55.0)):
            await ours.send_all(peer.send(TextMessage(encode(message))))
        await trio.sleep(29)
        before = daemon.sessions.table["win"].outbox
        await trio.sleep(12)
        session = daemon.sessions.table["win"]

        assert before is not None
        assert session.outbox is None
        assert ["r1"] == list(session.calls)


async def test_a_cancel_works_from_a_later_connection(house, autojump_clock):
    """Calls belong to the session, so any of its connections can cancel them."""
    async with house() as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=50.0)
            await client.hear()
            last = client.last_seq
        async with daemon.connect(session_id="win", last_seq=last) as (client, _):
            await client.say(Cancel(request_id="r1"))
            outcome = await client.hear_until(CallFailed)

    assert "CANCELLED" == outcome.error.code


async def test_a_client_of_protocol_1_gets_frames_without_numbers(house, autojump_clock):
    """It need not acknowledge, and its answer has the joined text."""
    async with house() as daemon, daemon.connect(protocol=1) as (client, ack):
        await client.nap()
        accepted, outcome = await client.hear(), await client.hear()

    assert 1 == ack.protocol
    assert 0 == client.last_seq
    assert isinstance(accepted, CallAccepted)
    assert "slept 0" == outcome.text


async def test_a_session_whose_client_never_heard_of_it_is_new_to_it_again(house, autojump_clock):
    """The word that nothing was resumed was lost: it is given again, or the client would drop new frames as old ones."""
    async with house() as daemon:
        first = daemon.connect(session_id="win", last_seq=9)
        second = daemon.connect(session_id="win", last_seq=9)
        async with first as (_, before), second as (client, after):
            await client.nap()
            await client.hear_until(CallResult)
        async with daemon.connect(session_id="win", last_seq=client.last_seq) as (_, later):
            pass

    assert [False, False, True] == [before.resumed, after.resumed, later.resumed]
