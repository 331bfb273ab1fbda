"""A client of MCP over HTTP that is cut off and comes back: each request is followed to its answer, over any number of connections."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx2
import trio

from exai_trio.daemon.streamable_http import event_ids

SESSIONS, STATELESS = "2025-11-25", "2026-07-28"
_AGAIN_S = 0.02  # from a refused connection to the next try
_BROKEN = (httpx2.TransportError, trio.BrokenResourceError, trio.ClosedResourceError)


class Lost(Exception):
    """The server does not know what it must know."""


@attrs.define(eq=False)
class Followed:
    """One call: the events of its stream as they came, and how often its way was broken. `last` is the id of the newest event."""

    mark: str
    id: int = 0
    answers: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    numbers: list[int] = attrs.field(factory=list[int])
    progress: list[float] = attrs.field(factory=list[float])
    breaks: int = 0
    last: str = ""

    @property
    def text(self) -> str:
        return str(self.answers[0].get("result") or self.answers[0].get("error"))

    @property
    def failed(self) -> bool:
        return "error" in self.answers[0] or bool(self.answers[0]["result"].get("isError"))

    def hear(self, data: str, event_id: str) -> None:
        """An event, or a whole answer, which has no id."""
        if event_id:
            self.last = event_id
        if not data:
            return
        if event_id:
            self.numbers.append(event_ids.read(event_id).number)
        message = json.loads(data)
        if "id" in message:
            self.answers.append(message)
        else:
            self.progress.append(message["params"]["progress"])

    def wrong(self) -> str:
        """What is not as it must be: every event once, in order, and one answer."""
        if len(self.answers) != 1:
            return f"answered {len(self.answers)} times"
        if self.numbers and self.numbers != list(range(1, len(self.numbers) + 1)):
            return f"the numbers of its events are {self.numbers}"
        if any(one >= other for one, other in zip(self.progress, self.progress[1:], strict=False)):
            return f"progress does not rise: {self.progress}"
        return ""


@attrs.define(eq=False)
class HttpClient:
    """`session` is "" in the era without sessions."""

    http: httpx2.AsyncClient
    url: str
    session: str = ""
    _ids: int = 0

    async def initialize(self) -> None:
        """Raises Lost."""
        told = {"protocolVersion": SESSIONS, "capabilities": {}, "clientInfo": {"name": "chaos", "version": "1"}}  # fmt: skip
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": told}
        answer = await self.http.post(self.url, json=body, headers=_ACCEPT)
        if answer.status_code != 200:
            raise Lost(f"initialize: {answer.status_code} {answer.text}")
        self.session = answer.headers["mcp-session-id"]

    async def follow(self, call: Followed, arguments: dict[str, Any]) -> None:
        """A chat to its answer. Before it has an event's id it is asked for again by its own key, later it goes on at that id.
        Raises Lost."""
        while not call.answers:
            if call.last:
                await self._unbroken(call, self._resume, call)
            else:
                await self._unbroken(call, self._post, call, arguments)

    async def ask_on(self, call: Followed) -> None:
        """Hear what follows the newest event. Raises Lost."""
        while not await self._unbroken(call, self._resume, call):
            pass

    async def _unbroken(self, call: Followed, say: Callable[..., Awaitable[None]], *about: object) -> bool:  # fmt: skip
        """Whether the connection stood."""
        try:
            await say(*about)
        except _BROKEN:
            call.breaks += 1
            await trio.sleep(_AGAIN_S)
            return False
        return True

    async def _post(self, call: Followed, arguments: dict[str, Any]) -> None:
        self._ids += 1
        call.id = self._ids
        meta = {"progressToken": call.id, "claudecode/toolUseId": call.mark}
        params = {"name": "chat", "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": call.id, "method": "tools/call", "params": params}
        async with self.http.stream("POST", self.url, json=body, headers=self._headers()) as answer:
            await _heard(answer, call)

    async def _resume(self, call: Followed) -> None:
        headers = {**self._headers(), "last-event-id": call.last}
        async with self.http.stream("GET", self.url, headers=headers) as answer:
            await _heard(answer, call)

    def _headers(self) -> dict[str, str]:
        return {**_ACCEPT, "mcp-session-id": self.session, "mcp-protocol-version": SESSIONS}

    async def leave(self, mark: str, arguments: dict[str, Any], until: trio.Event) -> None:
        """A call of the era without sessions, whose stream is closed at that moment."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientCapabilities": {},
            "progressToken": mark,
        }
        params = {"name": "chat", "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": mark, "method": "tools/call", "params": params}
        named = {"mcp-protocol-version": STATELESS, "mcp-method": "tools/call", "mcp-name": "chat"}
        async with trio.open_nursery() as asking:

            async def ask() -> None:
                async with self.http.stream("POST", self.url, json=body, headers={**_ACCEPT, **named}) as answer:  # fmt: skip
                    async for _ in answer.aiter_bytes():
                        pass

            asking.start_soon(ask)
            await until.wait()
            asking.cancel_scope.cancel(reason="the client leaves")


_ACCEPT = {"accept": "application/json, text/event-stream"}


async def _heard(answer: httpx2.Response, call: Followed) -> None:
    """Raises Lost; what httpx raises if the connection breaks."""
    if answer.status_code != 200:
        raise Lost(f"{call.mark}: {answer.status_code} {(await answer.aread()).decode()}")
    if answer.headers["content-type"].startswith("application/json"):
        call.hear((await answer.aread()).decode(), "")
        return
    event_id = data = ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if not line:
            if event_id or data:
                call.hear(data, event_id)
            event_id = data = ""
        elif name == "id":
            event_id = value
        elif name == "data":
            data = value


@asynccontextmanager
async def http_client(port: int) -> AsyncGenerator[HttpClient]:
    """Each request has a connection of its own, for a proxy that cuts them."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(trust_env=False, limits=limits, timeout=30) as http:
        yield HttpClient(http, f"http://127.0.0.1:{port}/mcp")
