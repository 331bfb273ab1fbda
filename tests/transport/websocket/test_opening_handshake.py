"""The opening handshake, head by head, over memory streams: what is answered, and that no byte behind a head is lost."""

from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import memory_stream_pair
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from exai_trio.transport.websocket import Limits, PeerGone, Unreachable, accept, client_on
from exai_trio.transport.websocket.opening_handshake import accept_upgrade, request_upgrade
from exai_trio.wire.hosts import Refusal

LIMITS = Limits(max_bytes=1000, send_s=2.0, close_s=1.0)
REQUEST = (
    b"GET /path HTTP/1.1\r\nHost: exai\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
FRAME_OF_CLIENT = Connection(ConnectionType.CLIENT).send(TextMessage(data="early"))
FRAME_OF_SERVER = Connection(ConnectionType.SERVER).send(TextMessage(data="early"))


def everyone(_handshake):
    return None


async def heard_of(sent, admit=everyone, *, piece=None):
    """What a server answers to these bytes, and why its side ended, None if it did not."""
    ours, theirs = memory_stream_pair()
    ended = []

    async def serve():
        try:
            async with accept(theirs, LIMITS, admit) as socket:
                ended.append(await socket.receive())
        except PeerGone as gone:
            ended.append(gone)

    async def talk():
        with suppress(trio.BrokenResourceError):  # it is refused before its end
            for start in range(0, len(sent), piece or len(sent)):
                await ours.send_all(sent[start : start + (piece or len(sent))])
                await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await talk()
        with trio.move_on_after(0.5):
            answer = await ours.receive_some()
        await ours.aclose()
    return answer, ended[0]


@pytest.mark.parametrize("piece", [None, 1, 7])
async def test_a_frame_right_behind_the_request_is_not_lost(piece, autojump_clock):
    """However the bytes are cut on their way."""
    answer, received = await heard_of(REQUEST + b"\r\n" + FRAME_OF_CLIENT, piece=piece)

    assert answer.startswith(b"HTTP/1.1 101 ")
    assert "early" == received


@pytest.mark.parametrize("piece", [None, 1, 7])
async def test_a_frame_right_behind_the_response_is_not_lost(piece, autojump_clock):
    """As a server may send one in the same packet."""
    ours, theirs = memory_stream_pair()
    heard = []

    async def serve():
        rest, opened = b"", trio.Event()
        relayed, far = memory_stream_pair()

        async def shake():
            nonlocal rest
            rest = await accept_upgrade(far, everyone, 1.0)
            opened.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(shake)
            await relayed.send_all(await theirs.receive_some())
            await opened.wait()
            answer = await relayed.receive_some() + FRAME_OF_SERVER
        for start in range(0, len(answer), piece or len(answer)):
            await theirs.send_all(answer[start : start + (piece or len(answer))])
            await trio.testing.wait_all_tasks_blocked()
        await theirs.receive_some()
        await theirs.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with client_on(ours, "exai", LIMITS) as socket:
            heard.append(await socket.receive())

    assert ["early"] == heard


async def test_all_headers_are_shown_as_they_came(autojump_clock):
    """Also the Host, and those that no handshake needs; names in lower case."""
    seen = []

    def look(handshake):
        seen.append(handshake)
        return Refusal(403, "seen")

    strange = b"X-Strange: \xff\r\nSec-WebSocket-Protocol: \xfe\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
    await heard_of(REQUEST + strange + b"\r\n", look)
    [handshake] = seen

    assert "/path" == handshake.path
    assert b"exai" == dict(handshake.raw)[b"host"]
    assert "\xff" == handshake.headers["x-strange"]
    assert b"\xfe" == dict(handshake.raw)[b"sec-websocket-protocol"]


async def test_no_extension_is_agreed_upon(autojump_clock):
    """Nothing is compressed on the wire, whatever a client offers."""
    offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    answer, _ = await heard_of(REQUEST + offer + FRAME_OF_CLIENT)

    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"extensions" not in answer.lower()
    assert b"protocol:" not in answer.lower()


REFUSED = [
    ("no HTTP", b"\x00\xff garbage\r\n\r\n", 400),
    ("no upgrade", b"GET / HTTP/1.1\r\nHost: exai\r\n\r\n", 400),
    ("a POST", REQUEST.replace(b"GET", b"POST") + b"\r\n", 400),
    ("an old version", REQUEST.replace(b": 13", b": 8") + b"\r\n", 426),
    ("no key", REQUEST.replace(b"-Key", b"-Kez") + b"\r\n", 400),
    ("two hosts", REQUEST + b"Host: exai\r\n\r\n", 400),
    ("a Connection beyond ASCII", REQUEST.replace(b"keep-alive", b"\xff") + b"\r\n", 400),
    ("a head of 70 KiB", REQUEST + b"X: " + b"x" * 70_000, 400),
]


@pytest.mark.parametrize("row", REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_is_no_handshake_is_answered_with_a_status_and_is_over(row, autojump_clock):
    """Nobody waits for more of it."""
    answer, ended = await heard_of(row[1])

    assert answer.startswith(b"HTTP/1.1 %d " % row[2])
    assert isinstance(ended, PeerGone)


async def test_a_head_without_end_is_refused_at_its_limit(autojump_clock):
    """What drips in is not kept for ever."""
    answer, ended = await heard_of(REQUEST + b"X: " + b"x" * 17_000, piece=500)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert isinstance(ended, PeerGone)


async def test_who_is_refused_reads_why(autojump_clock):
    """The status, and the reason as the body; our side ends with the same reason."""
    answer, ended = await heard_of(REQUEST + b"\r\n", lambda _: Refusal(403, "not you"))

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"not you" in answer
    assert "not you" == ended.reason


ANSWERS = [
    (b"", "closed the connection"),
    (b"HTTP/1.1 101 Switching", "closed the connection"),
    (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "Protocol"),
    (b"SSH-2.0-OpenSSH_9.7\r\n\r\n", "Protocol"),
    (b"x" * 100_000, "Protocol"),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=[row[0][:30].decode() for row in ANSWERS])
async def test_a_server_that_does_not_speak_websocket_is_unreachable(answer, autojump_clock):
    """Whatever it says, or nothing."""
    ours, theirs = memory_stream_pair()

    async def serve():
        await theirs.receive_some()
        await theirs.send_all(answer[0])
        await theirs.aclose()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with pytest.raises(Unreachable, match=answer[1]):
                await request_upgrade(ours, "exai")


@pytest.mark.parametrize("side", ["server", "client"])
async def test_a_stream_that_breaks_ends_the_handshake(side, autojump_clock):
    """trio-websocket alone would wait for ever."""
    ours, theirs = memory_stream_pair()
    await theirs.aclose()
    await trio.aclose_forcefully(ours.receive_stream)

    shake = {
        "server": partial(accept_upgrade, ours, everyone, 1.0),
        "client": partial(request_upgrade, ours, "exai"),
    }[side]

    with trio.fail_after(5), pytest.raises((PeerGone, Unreachable)):
        await shake()
