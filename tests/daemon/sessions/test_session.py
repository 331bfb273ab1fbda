"""Sessions outlive connections: resuming, taking over, and ending."""

from pathlib import Path

import pytest
import trio
from msgspec import UNSET
from trio.testing import memory_stream_pair
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

from exai_trio.daemon.delivery.outbox import Outbox
from exai_trio.tools.base import Answer
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
    ToolsChanged,
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
        assert 0 == daemon.counted.running


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


async def test_a_visit_of_no_length_begins_the_grace_anew(house, autojump_clock):
    """A client that comes back and leaves in one step has been there: its calls go on, and its outcomes stay."""
    async with house(session_grace_s=30.0) as daemon:
        async with daemon.connect(session_id="busy") as (client, _):
            await client.nap(seconds=50.0)
            await client.hear_until(CallAccepted)
        async with daemon.connect(session_id="idle") as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
        await trio.sleep(20)
        for session in list(daemon.sessions.table.values()):
            box = Outbox()
            session.attach(box, protocol=2, last_seq=0)
            session.detach(box)
        await trio.sleep(20)

        assert {"busy", "idle"} == set(daemon.sessions.table)
        assert 0 == daemon.naps.cancelled


async def test_a_client_with_numbers_of_a_session_that_is_no_more_is_new(house, autojump_clock):
    """What it has is not from this one: it is told so and hears all, or it would drop new frames as old ones."""
    async with house() as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
        async with daemon.connect(session_id="win", last_seq=client.last_seq + 1) as (client, ack):
            heard = [await client.hear(), await client.hear()]

    assert not ack.resumed
    assert [CallAccepted, CallResult] == [type(message) for message in heard]


@pytest.mark.parametrize(
    ("allowed", "asked", "roots"),
    [
        ((), None, ("/hello",)),
        ((), ["/call", "not/absolute"], ("/call",)),
        ((), [], ()),
        ((Path("/setting"),), ["/call"], ("/setting",)),
    ],
)
async def test_a_call_may_read_what_it_names_itself_or_else_its_clients_roots(
    house, autojump_clock, allowed, asked, roots
):
    """The setting goes before both, and what is no absolute path is no root."""
    request = CallTool(request_id="r1", name="nap", arguments={"seconds": 9}, roots=asked)
    async with house(allowed_roots=allowed) as daemon, daemon.connect(session_id="win", roots=["/hello", "here"]) as (client, _):  # fmt: skip
        await client.say(request)
        await client.hear_until(CallAccepted)
        call = daemon.sessions.table["win"].calls.table["r1"]

    assert tuple(map(Path, roots)) == call.roots


async def test_a_session_that_has_ended_starts_nothing(house, autojump_clock):
    """A connection that is still there hears so, and may come back."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        daemon.sessions.table["win"].end()
        await client.nap()
        refused = await client.hear()

    assert (True, 1) == (refused.error.retryable, daemon.counted.refused)
    assert (0, 0) == (daemon.naps.started, daemon.counted.accepted)


async def test_the_same_request_twice_in_one_write_is_one_call(house, autojump_clock):
    """The second joins the first before that has been accepted; it is counted as repeated."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.say(nap(), nap())
        heard = [await client.hear(), await client.hear()]

    assert [CallAccepted, CallResult] == [type(message) for message in heard]
    assert (1, 1) == (daemon.naps.started, daemon.counted.repeated)


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
        assert ["r1"] == list(session.calls.table)


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


async def test_only_results_of_protocol_1_have_their_text_beside_the_outputs(house, autojump_clock):
    """A failure has none, and a client of protocol 2 does not get everything twice."""
    async with house() as daemon, daemon.connect(protocol=1) as (old, _), daemon.connect() as (new, _):  # fmt: skip
        await old.nap(fault="broken")
        failure = await old.hear_until(CallFailed)
        await new.nap()
        outcome = await new.hear_until(CallResult)

    assert "INTERNAL_ERROR" == failure.error.code
    assert UNSET is outcome.text


async def test_what_a_session_said_to_a_client_that_never_spoke_is_said_again(
    house, autojump_clock
):
    """The client may take its number for that of an older session: it is told that this one is new."""
    async with house() as daemon:
        async with daemon.connect(session_id="win", last_seq=1):
            session = daemon.sessions.table["win"]
            for _ in range(2):
                session.sender.deliver(session.rules.number(ToolsChanged()))
        async with daemon.connect(session_id="win", last_seq=1) as (client, ack):
            heard = [await client.hear(), await client.hear()]

    assert not ack.resumed
    assert [ToolsChanged, ToolsChanged] == [type(message) for message in heard]


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


async def test_an_outcome_too_large_to_keep_costs_an_old_clients_other_calls_nothing(
    house, autojump_clock, monkeypatch
):
    """A client of protocol 1 gets nine megabytes, and its neighbour's call goes on."""

    async def run(_naps, arguments, *_):
        await trio.sleep(arguments.seconds)
        return Answer(text="x" * (9 * 2**20) if arguments.fault else "small")

    async with house() as daemon:
        monkeypatch.setattr(type(daemon.naps), "run", run)
    async with house() as daemon, daemon.connect(session_id="win", protocol=1) as (client, _):
        await client.nap("large", seconds=1.0, fault="large")
        await client.nap("small", seconds=10.0)
        answers = [await client.hear_until(CallResult) for _ in range(2)]

    assert ["large", "small"] == [answer.request_id for answer in answers]
    assert 9 * 2**20 == len(answers[0].text)
