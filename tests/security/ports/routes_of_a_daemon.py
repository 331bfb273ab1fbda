"""The applications of a daemon's HTTP ports, asked as ASGI asks, by people and roles."""

import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import attrs
import jwt
import trio
from database_in_memory import MemoryDatabase

from exai_trio.config import Config
from exai_trio.daemon.http import ports
from exai_trio.daemon.jobs.watching import Watching
from exai_trio.daemon.lifetime import watched_daemon
from exai_trio.incidents.capture import capturing
from exai_trio.storage.sqlite.watching.stores_in_file import stores_in

SECRET = "a key for people and their roles, long enough"
TOKEN = "a-token-of-ours-that-is-long"
MARK = "xylophone"  # stands in everything that ann has, and nowhere else
# What changes are asked for with; no terminal has that type.
ANY = {"name": "mine", "for_s": 60, "notes": "n", "stage": "expire", "type": 7}
LOGINS = {"/api/login", "/api/login/code", "/api/logout"}
FAR, NEAR = "192.0.2.9", "127.0.0.1"


def of(name, role="user"):
    return jwt.encode({"sub": name, "exp": 2**40, "role": role}, SECRET)


@attrs.define
class Place:
    """The applications of a daemon by port, what ann has there by the place in a path that takes its id, and her connection."""

    daemon: object
    apps: dict
    anns: dict = attrs.field(factory=dict)

    def routes(self):
        for port, app in self.apps.items():
            for route in app.table.routes:
                yield port, route

    async def ask(self, port, method, path, token="", *, client=NEAR, body=ANY):
        """Status and body of the answer."""
        named = {"host": "127.0.0.1:8080", "content-type": "application/json"}
        if token:
            named["authorization"] = f"Bearer {token}"
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"", "client": (client, 1), "state": {},
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }  # fmt: skip
        data = json.dumps(body).encode()
        sent = []

        async def receive():
            await trio.lowlevel.checkpoint()
            return {"type": "http.request", "body": data}

        async def send(event):
            await trio.lowlevel.checkpoint()
            sent.append(event)

        await self.apps[port](scope, receive, send)
        told = sent[1]["body"]
        is_json = told[:1] == b"{"
        return SimpleNamespace(status=sent[0]["status"], body=told, json=json.loads(told) if is_json else None)  # fmt: skip


@asynccontextmanager
async def open_place(house, home, **more):
    """A daemon in memory with all that its ports can show, and its feed, which runs."""
    with capturing(Config(home=home), "daemon") as capture, capture.keeping():
        settings = {"ws_token": TOKEN, "jwt_secret_key": SECRET, "terminals": True, "home": home} | more  # fmt: skip
        async with house(**settings) as daemon, trio.open_nursery() as running:
            watching = Watching.of(daemon.report, stores_in(MemoryDatabase()), capture)
            parts = attrs.evolve(daemon.parts, watching=watching)
            watched = watched_daemon(parts, daemon.tree)
            gate = ports.gate_of(watched, daemon.server.names)
            feed = ports.feed_of(watched, gate)
            running.start_soon(feed.run)
            apps = {
                "pages": ports.pages_app(watched, gate, feed),
                "incidents": ports.incidents_app(watched, gate, feed),
                "health": ports.health_app(watched, gate),
            }
            yield Place(daemon, apps)
            running.cancel_scope.cancel()


async def serve_app(app, serving, host=NEAR):
    """The port on which it is served."""
    listeners = await trio.open_tcp_listeners(0, host=host)
    serving.start_soon(ports.serve, app, listeners)
    return listeners[0].socket.getsockname()[1]
