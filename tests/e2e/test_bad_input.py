"""What no client should send, on real sockets: the sender is refused, everybody else is served."""

import json
from collections import Counter

import pytest
import trio
from trio_websocket import ConnectionRejected

from exai_trio.transport.websocket import Limits, connect

pytestmark = pytest.mark.real

MANY = 10_000
RIGHT = "the-token-of-this-test"
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
FOREIGN = [
    ("evil.example", ""),
    ("127.0.0.1.evil.example:8079", ""),
    ("127.0.0.1", "https://evil.example"),
    ("127.0.0.1", "null"),
]
NO_HANDSHAKES = {
    "noise": bytes(range(256)) * 8,
    "no upgrade": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "other method": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "endless line": b"GET /" + b"x" * 2**20,
}
NO_MESSAGES = {
    "no JSON": "hello?",
    "no object": "[1, 2]",
    "no op": "{}",
    "odd op": '{"op": ["ping"]}',
    "unknown op": '{"op": "sing", "request_id": "r1"}',
    "half a character": '{"op": "ping", "request_id": "\\ud800"}',
    "one megabyte": "x" * 2**20,
    "a well": "[" * 100_000,
    "binary": b"\xff\xfe\x00\x01" * 100,
    "second hello": '{"op": "hello", "token": "x"}',
}


@pytest.mark.parametrize("sent", NO_HANDSHAKES.values(), ids=NO_HANDSHAKES)
async def test_what_is_no_handshake(daemon, sent):
    """The daemon hangs up, and the next client is welcome."""
    async with await trio.open_tcp_stream("127.0.0.1", daemon.place.port) as stream:
        with trio.fail_after(10):
            await _send_all(stream, sent)
            said = await _read_all(stream)

    assert b" 101 " not in said
    await _serves(daemon)


async def _send_all(stream, data):
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        pass  # refused before it was all said


async def _read_all(stream):
    try:
        return b"".join([data async for data in stream])
    except trio.BrokenResourceError:
        return b""


async def _serves(daemon):
    async with daemon.place.client() as one:
        assert (await one.outcome("after", prompt="still here"))["ok"]


async def test_half_a_handshake(daemon):
    """Clients that stop in the middle of their first word hold nobody up, whether they stay or go."""
    streams = [await trio.open_tcp_stream("127.0.0.1", daemon.place.port) for _ in range(20)]
    for stream in streams:
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: loc")
    await _serves(daemon)
    for stream in streams:
        await stream.aclose()

    await _serves(daemon)


@pytest.mark.parametrize("sent", NO_MESSAGES.values(), ids=NO_MESSAGES)
async def test_what_is_no_message(daemon, sent):
    """One error for one bad frame, with its request id if it had one; the connection lives."""
    async with daemon.place.client() as one:
        await one.socket.send_message(sent)
        heard = await one.hear()
        await one.say("ping", request_id="p1")
        pong = await one.hear()

    assert ("error", "INVALID_REQUEST") == (heard["op"], heard["error"]["code"])
    assert heard.get("request_id") == ("r1" if '"r1"' in str(sent) else None)
    assert {"op": "pong", "request_id": "p1"} == pong


async def test_ten_thousand_calls_at_once(daemon, until):
    """Each is answered exactly once, with its result or with a refusal; pings are answered in between."""
    limits = Limits()
    async with connect("127.0.0.1", daemon.place.port, limits) as socket, trio.open_nursery() as legs:  # fmt: skip
        await socket.send(json.dumps({"op": "hello"}))
        await socket.receive()
        legs.start_soon(_send_many, socket)
        with trio.fail_after(30):
            outcomes, pongs = await _hear_all(socket)
    await until(daemon.idle)

    assert {f"n{number}" for number in range(MANY)} == {request_id for request_id, _ in outcomes}
    assert {1} == set(outcomes.values()) | set(pongs.values())
    assert {"", "OVER_CAPACITY"} >= {code for _, code in outcomes}


async def _hear_all(socket):
    """How often each outcome (request id, error code) and each pong was heard."""
    outcomes, pongs = Counter(), Counter()
    while outcomes.total() < MANY or pongs.total() < MANY // 1000:
        heard = json.loads(await socket.receive())
        if heard["op"] == "call_tool_res":
            code = "" if heard["ok"] else heard["error"]["code"]
            outcomes[heard["request_id"], code] += 1
        elif heard["op"] == "pong":
            pongs[heard["request_id"]] += 1
    return outcomes, pongs


async def _send_many(socket):
    """A thousand calls in one write, and a ping after them."""
    for first in range(0, MANY, 1000):
        calls = [
            json.dumps({"op": "call_tool", "request_id": f"n{number}", "name": "test_echo", "arguments": {"prompt": "x"}})
            for number in range(first, first + 1000)
        ]  # fmt: skip
        await socket.send(*calls, json.dumps({"op": "ping", "request_id": first}))


async def test_a_client_that_never_reads(daemon):
    """It is read from no more once its answers pile up; the others do not notice, and its end frees everything."""
    async with await trio.open_tcp_stream("127.0.0.1", daemon.place.port) as deaf:
        await deaf.send_all(_handshake())
        await deaf.receive_some(1000)  # the last that it hears
        await deaf.send_all(_frame(b'{"op":"hello"}'))
        asked = _frame(b'{"op":"list_tools"}') * 100
        with trio.move_on_after(10) as patience:
            async with daemon.place.client() as one, trio.open_nursery() as asking:
                sent = Counter[str]()
                asking.start_soon(_ask_for_ever, deaf, asked, sent)
                await _stopped(one, sent)
                answer = await one.outcome("r1", prompt="still here")
                asking.cancel_scope.cancel()

    assert not patience.cancelled_caught
    assert answer["ok"]


async def _ask_for_ever(stream, asked, sent):
    while True:
        await stream.send_all(asked)
        sent["times"] += 1


async def _stopped(one, sent):
    """Return when the deaf client gets nothing more away while we talk to the daemon."""
    while True:
        before = sent["times"]
        for number in range(50):
            await one.say("ping", request_id=number)
            await one.hear_until("pong", request_id=number)
        if before == sent["times"] > 0:
            return


def _handshake() -> bytes:
    return "\r\n".join(["GET / HTTP/1.1", "Host: localhost", *UPGRADE, "", ""]).encode()


def _frame(text: bytes) -> bytes:
    """A text frame under a mask of zeros."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


@pytest.mark.parametrize("token", [None, "wrong", ""])
async def test_a_wrong_token(guarded, raw_client, token):
    """Refused as unauthorized, and the connection is closed with 4003; the right one is welcome."""
    async with raw_client(guarded.place.port) as one:
        await one.say("hello", token=token)
        heard = await one.hear()
        closed = await one.heard_close()
    async with guarded.place.client(token=RIGHT) as welcome:
        await welcome.say("ping")

    assert ("hello_ack", False, "unauthorized") == (heard["op"], heard["ok"], heard["error"])
    assert 4003 == closed[0]


@pytest.fixture(scope="module")
def guarded(new_place, start_for_module):
    return start_for_module(new_place(EXAI_WS_TOKEN=RIGHT))


async def test_a_page_of_another_site(daemon, fetch):
    """A foreign Origin, or a Host that is not ours, gets 403 on both HTTP ports; our own pages are served."""
    place = daemon.place
    ports = {place.health: "/health", place.pages: "/api/health"}
    refused = [
        (await fetch(port, path, host=host, headers=[f"Origin: {origin}"][: len(origin)])).status
        for port, path in ports.items()
        for host, origin in FOREIGN
    ]
    own = (f"Origin: http://127.0.0.1:{place.pages}",)
    ours = [(await fetch(port, path, headers=own)).status for port, path in ports.items()]

    assert [403] * 8 == refused
    assert [200, 200] == ours


@pytest.mark.parametrize(("host", "origin"), FOREIGN)
async def test_a_foreign_page_gets_no_websocket(daemon, raw_client, host, origin):
    """Refused with 403 before the upgrade; our own page gets one."""
    headers = [(b"Origin", origin.encode())][: len(origin)]
    with pytest.RaisesGroup(ConnectionRejected) as refused:
        async with raw_client(daemon.place.port, host=host, headers=headers):
            pass
    own = f"http://127.0.0.1:{daemon.place.pages}".encode()
    async with raw_client(daemon.place.port, headers=((b"Origin", own),)) as one:
        await one.say("hello")
        welcome = await one.hear()

    assert 403 == refused.value.exceptions[0].status_code
    assert welcome["ok"]
