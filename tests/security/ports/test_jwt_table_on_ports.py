"""The table of tokens is judged alike wherever one can be shown: a hello, the pages, their feed, incidents, health and MCP."""

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from routes_of_a_daemon import open_place, serve_app
from starlette.datastructures import Headers

from exai_trio.daemon.connections.handshake import UNAUTHORIZED, HelloRefused, receive_hello
from exai_trio.daemon.connections.local_peer import Peer
from exai_trio.daemon.streamable_http.access import Access, Denied
from exai_trio.transport.websocket import Limits, connect
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Hello

sys.path.insert(0, str(Path(__file__).parents[2] / "access"))

from test_jwt_table import NOW, SECRET, jwks, table

LET_IN = {name: fits for name, _, fits in table()}
# HTTP takes blanks around a header's value away, and a line's end ends it.
SAYABLE = {name: token for name, token, _ in table() if token and token == token.strip()}


@pytest.fixture
def judging(house, tmp_path):
    """A daemon by whose clock it is always NOW."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(jwks()))
    file.chmod(0o600)
    keys = {"jwt_keys_file": file, "jwt_secret_key": SECRET}

    @asynccontextmanager
    async def opened():
        async with open_place(house, tmp_path, backends={"now": lambda: NOW}, **keys) as here:
            yield here

    return opened


def test_enough_of_them_can_be_shown_everywhere():
    assert len(set(SAYABLE.values())) >= 150


@attrs.frozen
class Said:
    """A socket on which one frame has come."""

    frame: str

    async def receive(self):
        await trio.lowlevel.checkpoint()
        return self.frame


@pytest.mark.parametrize("field", ["jwt", "token"])
async def test_at_hello(judging, field):
    """Whoever is not let in hears 4003."""
    codes = {}
    async with judging() as here:
        auth = here.daemon.server.auth
        for name, token, _ in table():
            said = Said(encode(Hello(protocol=2, **{field: token})))
            try:
                await receive_hello(said, 5.0, auth, Peer(None))
                codes[name] = 0
            except HelloRefused as refused:
                codes[name] = refused.code

    assert {name: 0 if fits else UNAUTHORIZED for name, fits in LET_IN.items()} == codes


@pytest.mark.parametrize("port", ["pages", "incidents", "health"])
async def test_over_http(judging, port):
    """Also as the token of a login. Who is let in is somebody, and nobody else is."""
    path = "/health" if port == "health" else "/api/me"
    ends, logins = {}, {}
    async with judging() as here:
        for name, token in SAYABLE.items():
            asked = await here.ask(port, "GET", path, token, client="192.0.2.9")
            ends[name] = asked.status == 200 if port == "health" else bool(asked.json["principal"])
            if port != "health":
                shown = await here.ask(port, "POST", "/api/login", body={"token": token})
                logins[name] = shown.status == 200

    expected = {name: LET_IN[name] for name in SAYABLE}
    assert expected == ends
    assert logins in ({}, expected)


async def test_in_the_feed(judging):
    """Told one after the other on one connection."""
    ends = {}
    async with judging() as here, trio.open_nursery() as serving:
        port = await serve_app(here.apps["pages"], serving)
        async with connect("127.0.0.1", port, Limits(), "/ws") as socket:
            for name, token, _ in table():
                if token and len(token) < 60_000:
                    await socket.send(json.dumps({"command": "auth", "token": token}))
                    ends[name] = await _answer(socket)
        serving.cancel_scope.cancel()

    assert {name: LET_IN[name] for name in ends} == ends
    assert len(ends) > 150


async def _answer(socket):
    with trio.fail_after(20):
        while (told := json.loads(await socket.receive()))["type"] not in {"auth", "error"}:
            pass
    return told.get("ok", False)


async def test_at_mcp(judging):
    statuses = {}
    async with judging() as here:
        access = Access(here.daemon.server.names, here.daemon.server.auth)
        for name, token in SAYABLE.items():
            shown = [(b"authorization", f"Bearer {token}".encode())]
            scope = {"type": "http", "headers": shown, "client": ("192.0.2.9", 1)}
            try:
                await access.identity(scope, Headers(raw=shown))
                statuses[name] = 200
            except Denied as denied:
                statuses[name] = denied.status

    assert {name: 200 if LET_IN[name] else 401 for name in SAYABLE} == statuses
