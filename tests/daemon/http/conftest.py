"""The application of the pages over a daemon without sockets, asked as ASGI asks."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import attrs
import msgspec
import pytest
import trio

from exai_trio.daemon.http import ports
from exai_trio.daemon.lifetime import watched_daemon

TOKEN = "a-token-of-ours-that-is-long"


@attrs.frozen
class Visitor:
    """Asks one site; `token` goes along as Bearer."""

    site: object
    daemon: object
    token: str = ""

    async def get(self, path, **headers):
        return await self.ask("GET", path, **headers)

    async def post(self, path, **body):
        return await self.ask("POST", path, msgspec.json.encode(body), content_type="application/json")  # fmt: skip

    async def ask(self, method, path, body=b"", client="127.0.0.1", **headers):
        path, _, query = path.partition("?")
        named = {"host": "127.0.0.1:8080"} | {k.replace("_", "-"): v for k, v in headers.items()}
        if self.token:
            named["authorization"] = f"Bearer {self.token}"
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(), "client": (client, 1),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()], "state": {},
        }  # fmt: skip
        sent = []

        async def receive():
            await trio.lowlevel.checkpoint()
            return {"type": "http.request", "body": body}

        async def send(event):
            await trio.lowlevel.checkpoint()
            sent.append(event)

        await self.site(scope, receive, send)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        is_json = told["content-type"] == "application/json"
        return SimpleNamespace(
            status=sent[0]["status"],
            headers=told,
            body=sent[1]["body"],
            json=msgspec.json.decode(sent[1]["body"]) if is_json else None,
        )

    def as_owner(self):
        return attrs.evolve(self, token=TOKEN)


@pytest.fixture
def pages(house):
    """`async with pages() as visitor:` a daemon with its pages; `visitor.daemon` is the daemon."""

    @asynccontextmanager
    async def opened(**settings):
        async with house(ws_token=TOKEN, **settings) as daemon:
            watched = watched_daemon(daemon.parts, daemon.tree)
            gate = ports.gate_of(watched, daemon.server.names)
            site = ports.pages_app(watched, gate, ports.feed_of(watched, gate))
            yield Visitor(site, daemon)

    return opened
