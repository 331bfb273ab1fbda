"""Behind a proxy a client is who the proxy says, if it is one that is trusted; and nobody there is of this machine."""

import socket

import pytest
import trio

from exai_trio.daemon.http.gate import address_of, is_near
from exai_trio.transport.http_site import HttpSite
from exai_trio.transport.trusted_proxies import Client, TrustedProxies

HERE = "127.0.0.1"
LOOPBACK = TrustedProxies.of(["127.0.0.0/8"])
NOBODY = TrustedProxies()
SAYS = b"PROXY TCP4 203.0.113.9 10.0.0.1 443 8079\r\n"
SAYS_LOOPBACK = b"PROXY TCP4 127.0.0.1 127.0.0.1 443 8079\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
)


def tcp_pair(said=b""):
    """A connection on loopback, on which this has been said already: the client's end and the daemon's."""
    with socket.socket() as listener:
        listener.bind((HERE, 0))
        listener.listen()
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    ours.sendall(said)
    return [trio.SocketStream(trio.socket.from_stdlib_socket(each)) for each in (ours, theirs)]


@pytest.mark.parametrize(
    ("trusted", "said", "client", "left"),
    [
        (LOOPBACK, SAYS + b"GET", Client("203.0.113.9", by_proxy=True), b"GET"),
        (LOOPBACK, b"GET", Client(HERE, by_proxy=True), b"GET"),
        (LOOPBACK, b"PROXY UNKNOWN\r\nGET", Client(HERE, by_proxy=True), b"GET"),
        (NOBODY, SAYS + b"GET", Client(HERE), SAYS + b"GET"),
        (TrustedProxies.of(["10.0.0.1"]), SAYS, Client(HERE), SAYS),
    ],
)
async def test_a_proxy_that_is_trusted_is_asked_and_nobody_else(trusted, said, client, left):
    ours, theirs = tcp_pair(said)
    async with ours, theirs:
        found = await trusted.client_of(theirs)
        rest = await theirs.receive_some()

    assert (client, left) == (found, rest)


@pytest.mark.parametrize("said", [b"PROXY nonsense\r\n", b"\r\n\r\n\0\r\nQUIT\n\x99"])
async def test_a_header_that_is_none_ends_the_connection(house, caplog, said):
    """On both kinds of ports; what is wrong with it is told."""
    async with house(trusted_proxies=(HERE,)) as daemon:
        ours, theirs = tcp_pair(said)
        async with ours:
            await daemon.server.serve(theirs)
            await theirs.aclose()
            with pytest.raises(trio.BrokenResourceError):
                await ours.receive_some()
    ours, theirs = tcp_pair(said)
    async with ours:
        await HttpSite(None, proxies=LOOPBACK)._connection(theirs)
        await theirs.aclose()

    assert 2 == caplog.text.count("a PROXY header is not understood")


async def test_one_that_is_silent_has_no_connection_for_long(autojump_clock):
    ours, theirs = tcp_pair()
    async with ours:
        client = await LOOPBACK.client_of(theirs)
        await theirs.aclose()

    assert client is None


async def test_a_fault_of_ours_at_the_very_beginning_is_borne(house, monkeypatch, caplog):
    """It ends this connection alone, and is logged once."""

    async def fails(_self, _stream):
        raise ZeroDivisionError

    monkeypatch.setattr(TrustedProxies, "client_of", fails)
    async with house() as daemon:
        ours, theirs = tcp_pair()
        async with ours, theirs:
            await daemon.server.serve(theirs)

    assert 1 == caplog.text.count("connection crashed")


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([b"203.0.113.9"], "203.0.113.9"),
        ([b"127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        ([b"127.0.0.1", b"198.51.100.1,2001:DB8::9 "], "2001:db8::9"),
        ([], HERE),
        ([b""], HERE),
        ([b"203.0.113.9,"], HERE),
        ([b"203.0.113.9:4711"], HERE),
        ([b"[2001:db8::9]"], HERE),
        ([b"fe80::1%eth0"], HERE),
        ([b"unknown"], HERE),
        ([b"203.0.113.9\n203.0.113.10"], HERE),
        ([b"\xff\xfe"], HERE),
        ([b"0" * 9000], HERE),
    ],
)
def test_the_last_hop_counts_if_it_is_an_address(headers, address):
    said = [(b"x-forwarded-for", each) for each in headers]
    behind = LOOPBACK.behind(Client(HERE, by_proxy=True), said)

    assert Client(address, by_proxy=True) == behind


@pytest.mark.parametrize("client", [Client(HERE), Client("203.0.113.9", by_proxy=True)])
def test_nobody_else_is_believed(client):
    """Neither a peer that is not trusted, nor the client of a proxy that passes its bytes on as they are."""
    assert client == LOOPBACK.behind(client, [(b"x-forwarded-for", b"198.51.100.1")])


async def hello(daemon, said=b""):
    """What a client without a token is answered, on a connection that begins so."""
    async with daemon.connect(lambda: tcp_pair(said)) as (_, answer):
        return answer


@pytest.mark.real
async def test_nobody_behind_a_proxy_is_the_owner_of_the_daemon(house):
    """Also where the proxy says nothing, or that its client is on this machine."""
    async with house() as daemon:
        direct = await hello(daemon)
    async with house(trusted_proxies=(HERE,)) as daemon:
        proxied = [await hello(daemon, said) for said in (b"", SAYS, SAYS_LOOPBACK)]

    assert direct.ok
    assert ["unauthorized"] * 3 == [answer.error for answer in proxied]


async def upgraded(daemon, stack, said=b"", header=b""):
    ours, theirs = tcp_pair(said + UPGRADE % header)
    daemon.connections.start_soon(daemon.server.serve, theirs)
    stack.append(ours)
    return (await ours.receive_some())[:12]


@pytest.mark.parametrize("in_requests", [False, True])
async def test_limits_are_of_the_client_and_not_of_the_proxy(house, in_requests):
    """Whether it is told before the connection or in its first request."""
    opened = []

    async def come(address):
        said = b"" if in_requests else SAYS.replace(b"203.0.113.9", address)
        header = b"X-Forwarded-For: %s\r\n" % address if in_requests else b""
        return await upgraded(daemon, opened, said, header)

    async with house(trusted_proxies=(HERE,), max_connections_per_ip=1) as daemon:
        first, other = await come(b"203.0.113.9"), await come(b"203.0.113.10")
        again = await come(b"203.0.113.9")
        counted = {**daemon.server.admission.by_address, HERE: 0}  # who is refused may be there yet
        for stream in opened:
            await stream.aclose()

    assert (b"HTTP/1.1 101", b"HTTP/1.1 101") == (first, other)
    assert {"203.0.113.9": 1, "203.0.113.10": 1} == {
        address: n for address, n in counted.items() if n
    }
    assert again == (b"HTTP/1.1 429" if in_requests else b"HTTP/1.1 101")


async def test_a_page_sees_whose_request_it_is_and_that_it_comes_from_afar():
    scopes = []

    async def app(scope, _receive, send):
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    for said in (b"", SAYS, SAYS_LOOPBACK):
        for trusted in (LOOPBACK, NOBODY):
            request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            ours, theirs = tcp_pair(said + request)
            async with ours:
                await HttpSite(app, proxies=trusted)._connection(theirs)

    seen = [(address_of(scope), is_near(scope)) for scope in scopes]
    assert [(HERE, False), (HERE, True), ("203.0.113.9", False), (HERE, False)] == seen
