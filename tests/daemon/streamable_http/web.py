"""The endpoint of a daemon without sockets, spoken to as a server would: scopes in, events out, on the tests' clock."""

import json

import attrs
import trio

from exai_trio.daemon.streamable_http.desks import Desks
from exai_trio.daemon.streamable_http.mcp_endpoint import Endpoint

BOTH = "application/json, text/event-stream"
MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
OWNERS_TOKEN = "a-token-of-the-owner"


@attrs.define(eq=False)
class Response:
    """What has come of one request; `gone` is set to have its client leave."""

    status: int = 0
    headers: dict = attrs.field(factory=dict)
    body: bytes = b""
    is_whole: bool = False
    gone: trio.Event = attrs.field(factory=trio.Event)
    changed: trio.Event = attrs.field(factory=trio.Event)

    async def take(self, event):
        if event["type"] == "http.response.start":
            self.status = event["status"]
            self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        else:
            self.body += event.get("body", b"")
            self.is_whole = not event.get("more_body", False)
        self.changed.set()
        self.changed = trio.Event()
        await trio.lowlevel.checkpoint()

    async def wait(self, condition):
        with trio.fail_after(1000):
            await trio.lowlevel.checkpoint()
            while not condition(self):
                await self.changed.wait()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """Id and message of each event; None for a message without data."""
        found = []
        for block in self.body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line[1:])
            if "data" in fields:
                data = fields["data"]
                found.append((fields.get("id"), json.loads(data) if data.strip() else None))
        return found

    @property
    def answer(self):
        """The answer of the request, however it was told."""
        if "json" in self.headers.get("content-type", ""):
            return self.json
        return next(message for _, message in self.events if message and "id" in message)


@attrs.define(eq=False)
class Web:
    """The endpoint and those who ask it."""

    house: object
    desks: Desks
    endpoint: Endpoint
    nursery: trio.Nursery

    def begin(
        self, method="POST", body=b"", token=OWNERS_TOKEN, path="/mcp", parts=None, **headers
    ):
        """A request on its way; header names have _ for -."""
        sent = {"host": "localhost"}
        if token:
            sent["authorization"] = f"Bearer {token}"
        if method == "POST":
            sent |= {"content-type": "application/json", "accept": BOTH}
        if method == "GET":
            sent |= {"accept": "text/event-stream"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(n.encode(), v.encode()) for n, v in sent.items() if v is not None],
            "server": ("localhost", 1),
            "client": ("127.0.0.1", 1),
            "state": {"transport": None},
        }
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        pieces = list(parts) if parts is not None else [data]
        response = Response()

        async def receive():
            if pieces:
                piece = pieces.pop(0)
                await trio.lowlevel.checkpoint()
                return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
            await response.gone.wait()
            return {"type": "http.disconnect"}

        self.nursery.start_soon(self.endpoint, scope, receive, response.take)
        return response

    async def ask(self, *args, **kwargs):
        """The whole response."""
        response = self.begin(*args, **kwargs)
        await response.wait(lambda r: r.is_whole)
        return response

    async def initialize(self, version="2025-11-25", **kwargs):
        """A session: the headers of its requests."""
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t"}}
        response = await self.ask(body=message("initialize", params, 0), **kwargs)
        assert 200 == response.status
        return {
            "mcp_session_id": response.headers["mcp-session-id"],
            "mcp_protocol_version": version,
        }


def message(method, params=None, id_=1):
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params or {}}


def nap(seconds=0.0, id_=1, **more):
    meta = more.pop("meta", {})
    return message(
        "tools/call", {"name": "nap", "arguments": {"seconds": seconds, **more}, "_meta": meta}, id_
    )


def modern(body):
    """A request of the era without sessions, and its headers."""
    params = {**body["params"], "_meta": {**META, **body["params"].get("_meta", {})}}
    headers = {"mcp_protocol_version": MODERN, "mcp_method": body["method"]}
    if "name" in params:
        headers["mcp_name"] = params["name"]
    return {**body, "params": params}, headers
