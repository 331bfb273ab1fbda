"""What a page of another port, another site or under a rebound name gets: nothing, from no port, by no request and no WebSocket."""

from itertools import product

import pytest
import trio
from routes_of_a_daemon import TOKEN

from exai_trio.config import Config
from exai_trio.daemon.streamable_http.access import Access, Denied
from exai_trio.daemon.streamable_http.event_stream import Responder
from exai_trio.daemon.streamable_http.mcp_endpoint import PATH as MCP

HOSTS = {
    b"127.0.0.1:8080": True,
    b"localhost": True,
    b"evil.example:8080": False,
    b"127.0.0.1.evil.example": False,
    b"192.0.2.9": False,
}
ORIGINS = {
    None: True,
    b"http://127.0.0.1:8080": True,
    b"http://127.0.0.1:9000": False,
    b"http://localhost:3000": False,
    b"https://evil.example": False,
    b"null": False,
}
# What a browser says of a request of a page: by whose script it is made.
SITES = {
    None: True,
    b"none": True,
    b"same-origin": True,
    b"same-site": False,
    b"cross-site": False,
    b"something-new": False,
}
ROWS = [
    (host, origin, site, HOSTS[host] and ORIGINS[origin] and (SITES[site] or origin is not None))
    for host, origin, site in product(HOSTS, ORIGINS, SITES)
]  # fmt: skip
PORTS = ["pages", "incidents", "health", "feed of pages", "feed of incidents", "mcp"]


def test_the_table_is_long():
    assert len(ROWS) * (len(PORTS) + 1) >= 200


def headers_of(host, origin, site):
    named = {b"host": host, b"origin": origin, b"sec-fetch-site": site}
    return [(name, value) for name, value in named.items() if value is not None]


@pytest.mark.parametrize("port", PORTS)
async def test_no_foreign_page_gets_anything(place, port):
    """Not even with a good token: 403, and the same 403 for every path."""
    wrong = []
    async with place() as here:
        for *said, is_ours in ROWS:
            shown = [*headers_of(*said), (b"authorization", f"Bearer {TOKEN}".encode())]
            status = await _status(here, port, shown)
            # MCP is for programs: a browser's page has an Origin there, by which it is judged.
            expected = is_ours or (port == "mcp" and HOSTS[said[0]] and ORIGINS[said[1]])
            if (status == 403) == expected:
                wrong.append((said, status))

    assert [] == wrong


async def _status(here, port, headers):
    kind = "websocket" if port.startswith("feed") else "http"
    app = here.apps.get(port.removeprefix("feed of "))
    path = {"mcp": MCP, "health": "/health"}.get(port, "/ws" if kind == "websocket" else "/api/me")
    scope = {
        "type": kind, "method": "GET", "path": path, "query_string": b"", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
        "headers": headers, "state": {},
    }  # fmt: skip
    sent = []

    async def receive():
        await trio.lowlevel.checkpoint()
        return {"type": f"{kind}.disconnect"}

    async def send(event):
        await trio.lowlevel.checkpoint()
        sent.append(event)

    if port == "mcp":
        return await _at_mcp(here, scope, receive, send)
    await app(scope, receive, send)
    return sent[0].get("status", 101)


async def _at_mcp(here, scope, receive, send):
    from starlette.datastructures import Headers

    access, headers = Access(here.daemon.server.names, here.daemon.server.auth), Headers(scope=scope)  # fmt: skip
    try:
        await access.answers_itself(scope, headers, Responder(receive, send, []))
    except Denied as denied:
        return denied.status
    return 200


async def test_no_foreign_page_opens_the_daemons_websocket(listening, ask):
    """A browser's WebSocket always has an Origin."""
    wrong = []
    config = Config(health_check_port=8082, monitoring_port=8080)
    async with listening("websocket", config) as door:
        for host, origin, site, _ in ROWS[::5]:
            status, _ = await ask(door, *headers_of(host, origin, site))
            if (status == 403) == (HOSTS[host] and ORIGINS[origin]):
                wrong.append((host, origin, site, status))

    assert [] == wrong
