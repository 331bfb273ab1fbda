"""HTTP takes few connections, and none for long."""

import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import trio

from exai_trio.transport.http_connection import HttpConnection
from exai_trio.transport.http_site import HttpSite


async def test_a_connection_too_many_takes_the_place_of_one_that_asks_nothing():
    """The oldest of those goes; where all are at work the new one does, and when one of them is done there is room again."""
    at_work, done = [], trio.Event()

    async def slow(scope, receive, send):
        at_work.append(scope["path"])
        await done.wait()
        await _hello(scope, receive, send)

    async with _open_site(slow, most=2) as (_site, connected):
        silent, first, second = [await connected() for _ in range(3)]
        with trio.fail_after(10):
            displaced = await silent.receive_some()
            for stream in (first, second):
                await stream.send_all(_REQUEST)
            while len(at_work) < 2:
                await trio.lowlevel.checkpoint()
            refused = await (await connected()).receive_some()
            done.set()
            kept = await first.receive_some()
            await second.aclose()
            again = await _asked(await connected())

    assert (b"", b"", b"HTTP/1.1 204") == (displaced, refused, kept[:12])
    assert b"HTTP/1.1 204" == again[:12]


async def test_many_that_drip_a_head_do_not_keep_others_out():
    """However many have a place and send their heads a letter at a time, who asks is answered."""
    async with _open_site(_hello, most=8) as (site, connected):
        dripping = [await connected() for _ in range(8)]
        for stream in dripping:
            await stream.send_all(b"GET / HT")
        with trio.fail_after(4):
            answers = [await _asked(await connected()) for _ in range(20)]

    assert {b"HTTP/1.1 204"} == {answer[:12] for answer in answers}
    assert 8 >= len(site.open)


async def test_other_machines_leave_places_for_this_one(monkeypatch):
    """They have three of four, and displace none of ours beyond that."""
    async with _open_site(_hello, most=8) as (site, connected):
        with monkeypatch.context() as patched:
            patched.setattr("exai_trio.transport.trusted_proxies.is_loopback", lambda _: False)
            far = [await connected() for _ in range(12)]
            while len(site.open) < 6:
                await trio.lowlevel.checkpoint()
            with trio.fail_after(4):
                gone = [await stream.receive_some() for stream in far[:6]]
        near = [await connected() for _ in range(2)]
        while len(site.open) < 8:
            await trio.lowlevel.checkpoint()
        still = await _asked(far[-1])

    assert [b""] * 6 == gone
    assert b"HTTP/1.1 204" == still[:12]
    assert 2 == len(near)


async def test_a_connection_that_asks_nothing_is_closed(autojump_clock):
    """After five seconds; after an answer it has the time that it is given."""
    assert 5 == await _time_of(b"")
    assert 10 == await _time_of(_REQUEST)


async def test_a_head_that_drips_is_cut_off(autojump_clock):
    """It has five seconds from its beginning, also on a connection that has been answered before."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 50
    first, later = await _time_of(b"", head), await _time_of(_REQUEST, head)

    assert {5, 6} >= {first, later}  # who sends a byte a second may notice a second later


async def test_a_request_may_take_its_time_to_be_answered(autojump_clock):
    """The limit is for heads: an answer that takes a minute arrives."""

    async def slow(scope, receive, send):
        await trio.sleep(60)
        await _hello(scope, receive, send)

    ours, theirs = _pair()
    async with trio.open_nursery() as serving:
        serving.start_soon(HttpSite(slow)._connection, theirs)
        answer = await _asked(ours)
        await ours.aclose()

    assert b"HTTP/1.1 204" == answer[:12]


async def test_an_answer_is_one_write_and_events_are_told_at_once():
    """A head waits for the body that follows it, where its length is told; else it is written as soon as it is said."""
    told = trio.Event()

    async def answer(scope, _receive, send):
        length = [] if scope["path"] == "/events" else [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        if not length:
            await told.wait()
        await send({"type": "http.response.body", "body": b"hello"})

    ours, theirs = _pair()
    async with trio.open_nursery() as serving:
        serving.start_soon(HttpSite(answer)._connection, theirs)
        with trio.fail_after(5):
            whole = await _asked(ours)
            head = await _asked(ours, _REQUEST.replace(b"/ ", b"/events "))
            told.set()
            body = await ours.receive_some()
        await ours.aclose()

    assert whole.endswith(b"\r\n\r\nhello")
    assert head.endswith(b"\r\n\r\n")
    assert b"hello" in body


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", b"505"),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", b"204"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", b"204"),
        (b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n", b"204"),
    ],
)  # fmt: skip
async def test_nothing_but_http_1_is_spoken(asked, status):
    """HTTP/2 by prior knowledge is refused, and an upgrade to anything is not taken up."""
    ours, theirs = _pair()
    answer = bytearray()
    async with trio.open_nursery() as serving:
        serving.start_soon(HttpSite(_hello)._connection, theirs)
        await ours.send_all(asked)
        with trio.fail_after(5):
            while b"\r\n\r\n" not in answer:
                answer += await ours.receive_some()
        await ours.aclose()

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert 1 == answer.count(b"HTTP/1.1 ")


async def test_what_nobody_read_of_a_body_does_not_end_the_connection():
    """Its sender hears the answer, and may ask again."""
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"

    ours, theirs = _pair()
    async with trio.open_nursery() as serving:
        serving.start_soon(HttpSite(_hello)._connection, theirs)
        with trio.fail_after(5):
            refused = await _asked(ours, head)
            again = await _asked(ours, b"hello" + _REQUEST)
        await ours.aclose()

    assert [b"HTTP/1.1 204"] * 2 == [refused[:12], again[:12]]


async def test_who_asks_for_a_websocket_at_once_after_another_request_gets_it():
    """Whoever takes the connection over has all bytes of that request, and none of the one before."""
    answer, taken_over = await _upgraded(_REQUEST + _HANDSHAKE + b"frames")

    assert b"HTTP/1.1 204" == answer[:12]
    assert [_HANDSHAKE + b"frames"] == taken_over


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b"GET", b"POST"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Connection: keep-alive, Upgrade", b"Connection: upgrades"),
        (b"websocket", b"h2c"),
        (b"Version: 13", b"Version: 12"),
        (b"Sec-WebSocket-Key", b"X"),
        (b"Host", b"Content-Length: 5\r\nHost"),
    ],
)
async def test_less_than_a_handshake_is_a_plain_request(said, instead):
    """It gets its answer, and what only handshakes get does not hear of it."""
    answer, taken_over = await _upgraded(_HANDSHAKE.replace(said, instead))

    assert b"HTTP/1.1 204" == answer[:12]
    assert [] == taken_over


async def test_who_always_has_more_of_a_body_is_not_read_for_ever(mock_clock, monkeypatch):
    """The rest of a body that nobody wanted has two seconds, also where it is never waited for."""
    heads = [b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"]
    pieces = []

    async def always(_most):
        await trio.lowlevel.checkpoint_if_cancelled()
        mock_clock.jump(0.5)
        await trio.lowlevel.cancel_shielded_checkpoint()
        pieces.append(heads.pop() if heads else b"5\r\nhello\r\n")
        return pieces[-1] if len(pieces) < 50 else b""

    ours, theirs = _pair()
    monkeypatch.setattr(theirs, "receive_some", always)
    with trio.fail_after(60):
        await HttpSite(_hello)._connection(theirs)
        answer = await ours.receive_some()
        await ours.aclose()

    assert b"HTTP/1.1 204" == answer[:12]
    assert 10 > len(pieces)


@pytest.mark.parametrize("more", [b"", b"GET / HTTP/1.1\r\n"], ids=["silent", "asks on"])
async def test_who_reads_nothing_is_cut(autojump_clock, more):
    """After ten seconds in which it took nothing; the application hears that it has gone, also where its peer has asked on."""
    heard = []

    async def answer(_scope, receive, send):
        async def listen():
            while (await receive())["type"] != "http.disconnect":
                pass
            heard.append(trio.current_time() - began)

        began = trio.current_time()
        async with trio.open_nursery() as legs:
            legs.start_soon(listen)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x" * 2**22})

    ours, theirs = _pair()
    with trio.fail_after(60):
        async with trio.open_nursery() as serving:
            serving.start_soon(HttpSite(answer)._connection, theirs)
            await ours.send_all(_REQUEST + more)
    await ours.aclose()

    assert [10.0] == heard


async def test_who_reads_slowly_is_not_cut(autojump_clock):
    """Each piece has ten seconds, however long the whole takes."""

    async def answer(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 2**21})

    ours, theirs = _pair()
    read = bytearray()
    async with trio.open_nursery() as serving:
        serving.start_soon(HttpSite(answer)._connection, theirs)
        await ours.send_all(_REQUEST.replace(b"1.1", b"1.0"))
        while data := await ours.receive_some(2**16):
            read += data
            await trio.sleep(2)
        await ours.aclose()

    assert 2**21 == read.count(b"x")
    assert 20 < trio.current_time()


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 500 "),
        (b"no request\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 20_000, b"HTTP/1.1 431 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", b"HTTP/1.1 100 "),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 "),
    ],
)  # fmt: skip
async def test_odd_requests(asked, answered, caplog):
    """A status for each; a body is never sent for HEAD."""

    async def answer(scope, receive, send):
        if scope["path"] == "/fails":
            raise ValueError("planted")
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    ours, theirs = _pair()
    async with trio.open_nursery() as serving:
        serving.start_soon(HttpSite(answer)._connection, theirs)
        with trio.fail_after(5):
            said = await _asked(ours, asked)
        await ours.aclose()

    assert said.startswith(answered)
    assert b"hello" not in said
    assert (b"/fails" in asked) == bool(caplog.records)


@asynccontextmanager
async def _open_site(app, most):
    async with AsyncExitStack() as streams, trio.open_nursery() as serving:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        site = HttpSite(app, most=most)
        await serving.start(site.serve, listeners)

        async def connected():
            port = listeners[0].socket.getsockname()[1]
            return await streams.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))

        yield site, connected
        serving.cancel_scope.cancel()


async def _upgraded(asked):
    """The first thing that is answered, and what whoever takes connections over was given."""
    taken_over = []

    async def upgrade(_stream, read):
        taken_over.append(read)

    ours, theirs = _pair()
    async with trio.open_nursery() as serving:
        serving.start_soon(HttpConnection(_hello, theirs, 10.0, upgrade).run)
        with trio.fail_after(5):
            answer = await _asked(ours, asked)
        await ours.aclose()
    return answer, taken_over


async def _time_of(first, drips=b""):
    """Seconds after which a connection is closed that asks `first`, and then sends a byte of `drips` a second."""
    ours, theirs = _pair()
    site = HttpSite(_hello, idle_s=10.0)
    with trio.fail_after(60):
        async with trio.open_nursery() as serving:
            serving.start_soon(site._connection, theirs)
            if first:
                await _asked(ours, first)
            began = trio.current_time()
            with suppress(trio.BrokenResourceError):
                while site.open and drips:
                    await ours.send_all(drips[:1])
                    drips = drips[1:]
                    await trio.sleep(1)
                while await ours.receive_some():
                    pass
            await ours.aclose()
    assert set() == site.open
    return round(trio.current_time() - began)


def _pair():
    return [trio.SocketStream(trio.socket.from_stdlib_socket(one)) for one in socket.socketpair()]


_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_HANDSHAKE = (
    _REQUEST[:-2]
    + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n\r\n"
)


async def _asked(stream, request=_REQUEST):
    await stream.send_all(request)
    return await stream.receive_some()


async def _hello(scope, _receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
