"""Who may talk to the daemon, and how everybody else is told no."""

import jwt
import msgspec
import pytest
import trio
import trio.testing
from trio.testing import memory_stream_pair
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import Request, TextMessage

from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import HelloAck, Ping, Pong, RotateToken, TokenRotated

SECRET = "a shared secret of at least 32 bytes"
LATER = 2_000_000_000


async def test_a_client_is_welcomed_with_its_session_and_the_limits(house, autojump_clock):
    """The acknowledgement is the first frame and names session, protocol, server and limits."""
    longest = {"simple_tool_timeout_secs": 7.0, "workflow_tool_timeout_secs": 70.0}
    async with house(**longest) as daemon, daemon.connect(session_id="my-window") as (_client, ack):
        pass

    assert ("my-window", 2, False) == (ack.session_id, ack.protocol, ack.resumed)
    assert 10_485_760 == ack.limits["max_message_bytes"]
    assert [70, 7, 70] == [
        ack.limits[f"{kind}call_timeout_s"] for kind in ("", "simple_", "workflow_")
    ]
    assert "boot" == ack.server.boot_id


@pytest.mark.parametrize(
    ("frame", "error", "code"),
    [
        ("not json", "invalid_hello", 4000),
        ("[1]", "invalid_hello", 4000),
        ('{"op":"hello","protocol":"two"}', "invalid_hello", 4000),
        ('{"op":"ping"}', "missing_hello", 4001),
        ('{"op":"call_tool"}', "missing_hello", 4001),
        ('{"op":"hello","token":"wrong"}', "unauthorized", 4003),
        ('{"op":"hello"}', "unauthorized", 4003),
    ],
)
async def test_a_bad_first_frame_is_told_why_and_closed_with_its_code(
    house, autojump_clock, frame, error, code
):
    """Each refusal of the handshake table has its error and its close code."""
    async with house(ws_token="right") as daemon, daemon.connect_raw() as client:
        await client.say(frame)
        heard = await client.hear()
        with pytest.raises(PeerGone) as gone:
            await client.hear()

    assert HelloAck(ok=False, error=error) == heard
    assert code == gone.value.code


async def test_silence_is_closed_with_4002(house, autojump_clock):
    """Nothing within EXAI_WS_HELLO_TIMEOUT ends the connection."""
    async with house() as daemon, daemon.connect_raw() as client:
        started = trio.current_time()
        with pytest.raises(PeerGone) as gone:
            await client.hear()
        waited = trio.current_time() - started

    assert 4002 == gone.value.code
    assert 15 <= waited < 16


async def test_the_token_lets_in_and_can_be_rotated(house, autojump_clock):
    """After rotate_token the old value is refused and the new one accepted."""
    async with house(ws_token="old-token") as daemon:
        async with daemon.connect(token="old-token") as (client, _):
            await client.say(RotateToken(old="nonsense", new="x" * 16, request_id="a"))
            refused = await client.hear()
            await client.say(RotateToken(old="old-token", new="short", request_id="b"))
            too_short = await client.hear()
            await client.say(RotateToken(old="old-token", new="n" * 16, request_id="c"))
            done = await client.hear()
        async with daemon.connect(token="old-token") as (_, old):
            pass
        async with daemon.connect(token="n" * 16) as (_, new):
            pass

    assert ("UNAUTHORIZED", "VALIDATION_ERROR") == (refused.error.code, too_short.error.code)
    assert TokenRotated(ok=True, request_id="c") == done
    assert (False, True) == (old.ok, new.ok)


async def test_a_jwt_lets_in_where_a_secret_is_set(house, autojump_clock):
    """A JWT signed with the secret is accepted; one signed with another is not."""
    good = jwt.encode({"sub": "ann", "exp": LATER}, SECRET)
    bad = jwt.encode({"sub": "ann", "exp": LATER}, SECRET + "!")
    async with house(jwt_secret_key=SECRET) as daemon:
        async with daemon.connect(jwt=good) as (_, accepted):
            pass
        async with daemon.connect(jwt=bad) as (_, refused):
            pass

    assert (True, "unauthorized") == (accepted.ok, refused.error)


async def test_a_session_of_another_principal_cannot_be_taken(house, autojump_clock):
    """An id is a handle, never a proof of identity: each gets a session of its own, and finds it again by the id that it chose."""
    tokens = [jwt.encode({"sub": name, "exp": LATER}, SECRET) for name in ("ann", "bob")]
    async with (
        house(jwt_secret_key=SECRET) as daemon,
        daemon.connect(jwt=tokens[0], session_id="shared-id") as (ann, first),
        daemon.connect(jwt=tokens[1], session_id="shared-id") as (_, second),
    ):
        await ann.say(Ping(request_id="still here"))
        answer = await ann.hear()
        sessions = [await _session_of(daemon, token, "shared-id") for token in tokens]
        named = [await _session_of(daemon, token, first.session_id) for token in tokens]

    assert first.session_id != second.session_id
    assert [first.session_id, second.session_id] == sessions
    assert first.session_id == named[0] != named[1]
    assert Pong(request_id="still here") == answer


async def _session_of(daemon, token, wanted):
    async with daemon.connect(jwt=token, session_id=wanted) as (_, ack):
        return ack.session_id


@pytest.mark.parametrize("wanted", ["a", "has space", "x" * 65, "../etc", ""])
async def test_an_unfit_session_id_is_replaced(house, autojump_clock, wanted):
    """Ids are 3 to 64 letters, digits, dashes and underscores; others get a fresh one."""
    async with house() as daemon, daemon.connect(session_id=wanted) as (_, ack):
        pass

    assert ack.session_id.startswith("session_1790000000000_")
    assert 25 == len(ack.session_id.rsplit("_", 1)[1])


@pytest.mark.parametrize(
    ("header", "value"),
    [("Origin", "https://evil.example"), ("Origin", "http://localhost:3000"), ("Origin", "null")],
)
async def test_a_foreign_origin_is_refused_before_the_upgrade(house, autojump_clock, header, value):
    """A page of another site gets HTTP 403."""
    assert 403 == await _status(house, host="localhost:8079", extra=f"{header}: {value}\r\n")


async def test_a_foreign_host_is_refused_before_the_upgrade(house, autojump_clock):
    """A name that merely points here (DNS rebinding) gets HTTP 403."""
    assert 403 == await _status(house, host="evil.example:8079")


async def test_our_own_pages_and_clients_without_origin_are_let_in(house, autojump_clock):
    """The monitoring page's origin is allowed, and so is no origin at all."""
    own = await _status(house, host="127.0.0.1:8079", extra="Origin: http://127.0.0.1:8080\r\n")
    none = await _status(house, host="[::1]:8079")

    assert (101, 101) == (own, none)


async def _status(house, host, extra=""):
    async with house() as daemon:
        ours, theirs = memory_stream_pair()
        daemon.connections.start_soon(daemon.server.serve, theirs)
        await ours.send_all(
            f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{extra}\r\n".encode()
        )
        answer = await ours.receive_some()
        await ours.aclose()
    return int(answer.split()[1])


async def test_too_many_connections_are_closed_with_the_limits_name(house, autojump_clock):
    """The connection over MAX_CONNECTIONS gets 1008 and the name of the limit, and a place freed is a place."""
    async with house(max_connections=1) as daemon:
        async with daemon.connect(), daemon.connect_raw() as second:
            with pytest.raises(PeerGone) as gone:
                await second.hear()
        async with daemon.connect() as (_, third):
            pass

    assert 1008 == gone.value.code
    assert "MAX_CONNECTIONS" in gone.value.reason
    assert third.ok


async def test_silent_connections_without_a_place_are_not_kept(house, autojump_clock):
    """A few have a second in which to hear why, however long a hello may take; the others end at once."""
    async with house(max_connections=1, ws_hello_timeout=60.0) as daemon, daemon.connect():
        kept = len(daemon.connections.child_tasks)
        silent = [memory_stream_pair() for _ in range(100)]
        for _, theirs in silent:
            daemon.connections.start_soon(daemon.server.serve, theirs)
        await trio.testing.wait_all_tasks_blocked()
        at_first = len(daemon.connections.child_tasks) - kept
        await trio.sleep(2)
        after = len(daemon.connections.child_tasks) - kept

    assert (32, 0) == (at_first, after)


async def test_an_unknown_field_in_hello_is_ignored(house, autojump_clock):
    """Later clients may say more than we know."""
    async with house() as daemon, daemon.connect_raw() as client:
        await client.say(msgspec.json.encode({"op": "hello", "mood": "fine"}).decode())
        ack = await client.hear()

    assert ack.ok


async def test_refused_clients_that_stay_do_not_fill_the_house(house, autojump_clock):
    """A few are waited for until they have answered; all others lose their place once they were told."""
    hello = WSConnection(ConnectionType.CLIENT).send(Request(host="localhost", target="/"))
    hello += Connection(ConnectionType.CLIENT).send(TextMessage(data='{"op":"hello"}'))
    async with house(ws_token="right") as daemon:
        staying = []
        for _ in range(100):
            ours, theirs = memory_stream_pair()
            daemon.connections.start_soon(daemon.server.serve, theirs)
            await ours.send_all(hello)
            staying.append(ours)
        await trio.sleep(0.5)  # less than anybody is waited for, more than a refusal takes
        held = daemon.server.admission.total
        told = [bytes(await ours.receive_some()) for ours in staying]
        async with daemon.connect(token="right") as (_, ack):
            pass

    assert 20 <= held <= 64
    assert all(b"unauthorized" in each or b"too_many" in each for each in told if b"hello" in each)
    assert ack.ok
