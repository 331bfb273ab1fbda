"""An ASGI application over a table of routes: what is let in is answered, and every fault is told with a status.

Loaded after the daemon serves.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, ExaiError, InvalidRequestError
from exai_trio.observability.json_bytes import json_bytes
from exai_trio.transport.http_site import HttpSite
from exai_trio.wire.hosts import NOT_FOUND, Refusal

from .gate import HEADERS, UNAUTHORIZED, Gate, Scope, address_of, bearer_of, denial, header_of
from .page_viewer import Viewer
from .route_table import Asked, Content, Route, RouteTable

log = logging.getLogger("exai.http")

_MOST_CONNECTIONS: Final = 64  # each has a descriptor, and calls need them
_IDLE_S: Final = 10.0
_MOST_BYTES: Final = 2**20  # of a request's body
_BODY_S: Final = 10.0
_MOST_NAMED: Final = 200  # characters of what a path names
_NOT_ALLOWED, _TOO_LARGE, _NO_JSON, _FAILED = 405, 413, 415, 500
_STATUS: Final[Mapping[str, int]] = {
    "INVALID_REQUEST": 400,
    "VALIDATION_ERROR": 400,
    "PROTOCOL_ERROR": 400,
    "UNAUTHORIZED": UNAUTHORIZED,
    "NOT_FOUND": NOT_FOUND,
    "OVER_CAPACITY": 429,
    "SERVICE_UNAVAILABLE": 503,
}
_NO_STORE: Final = {"cache-control": "no-store"}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@structs.frozen(eq=False)
class Exchange:
    """One request or WebSocket that was let in, with the ways to and from its client."""

    scope: Scope
    receive: Receive
    send: Send
    by: Viewer

    async def send_texts(self, texts: Iterable[str]) -> None:
        """Over a WebSocket, in one write. Cancelling sends all of them or none."""
        messages = [{"type": "websocket.send", "text": text} for text in texts]
        await self.scope["state"]["send_together"](self.send, messages)


Socket = Callable[[Exchange], Awaitable[None]]


@structs.frozen(eq=False)
class Site:
    """One port's application; `sockets` answer WebSockets by their path. Raises nothing: a request takes no other down. Cancelling
    cuts what is being told."""

    gate: Gate
    table: RouteTable
    sockets: Mapping[str, Socket] = attrs.field(factory=dict[str, Socket])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                content = await self._content(scope, receive)
                await respond(send, content, bare=scope["method"] == "HEAD")
            case "websocket":
                await self._socket(scope, receive, send)
            case _:
                return

    async def _content(self, scope: Scope, receive: Receive) -> Content:
        try:
            return await self._answer(scope, receive)
        except ExaiError as fault:
            return told(fault)
        except Exception:
            log.exception("a request failed", extra={"path": scope["path"]})
            return failure(
                _FAILED, "INTERNAL_ERROR", "the request could not be handled; the log has why"
            )

    async def _answer(self, scope: Scope, receive: Receive) -> Content:
        refusal = self.gate.refusal(scope)
        if refusal is not None:
            log.debug("request refused", extra={"reason": refusal.text})
            return refused(refusal)
        found = self.table.find(scope["method"], scope["path"])
        if found is None:
            return self._unknown(scope)
        route, parts = found
        by = self.gate.viewer(scope)
        denied = denial(by, route.gives)
        if denied is not None:
            if by.has_logged_in:
                self._note(scope, route, parts, f"status {denied.status}")
            return refused(denied)
        asked = Asked(
            by=by,
            path=parts,
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
            body={} if route.method == "GET" else await _body(scope, receive),
            token=bearer_of(scope),
            raw=scope,
        )
        result = "cut"
        try:
            answer = await route.answer(asked)
            result = f"status {answer.status}" if isinstance(answer, Content) else "done"
        except ExaiError as fault:
            result = fault.code
            raise
        finally:
            self._note(scope, route, parts, result)
        return answer if isinstance(answer, Content) else Content(body=json_bytes(answer))

    def _note(self, scope: Scope, route: Route, parts: Mapping[str, str], result: str) -> None:
        """Changes stand in the access log, whatever comes of them."""
        is_change = route.method != "GET" and route.gives != "open"
        by = self.gate.identify(bearer_of(scope)) if is_change else None
        if by is not None:
            on = " ".join(parts.values())[:_MOST_NAMED]
            facts = {"what": f"{route.method} {route.path}", "on": on, "result": result}
            self.gate.auth.note_change(by, "changed", address=address_of(scope), **facts)

    def _unknown(self, scope: Scope) -> Content:
        methods = self.table.methods(scope["path"])
        if not methods:
            return failure(NOT_FOUND, "NOT_FOUND", "there is nothing at this path")
        allowed = ", ".join(methods)
        content = failure(_NOT_ALLOWED, "INVALID_REQUEST", f"here one may {allowed}")
        return attrs.evolve(content, headers={"allow": allowed})

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self.sockets.get(scope["path"])
        refusal = self.gate.refusal(scope)
        if answer is None:
            refusal = Refusal(NOT_FOUND, "there is no WebSocket at this path")
        if answer is None or refusal is not None:
            await reject(send, refused(refusal or Refusal(NOT_FOUND, "")))
            return
        try:
            await answer(Exchange(scope, receive, send, self.gate.viewer(scope)))
        except Exception:
            log.exception("a WebSocket failed", extra={"path": scope["path"]})


async def _body(scope: Scope, receive: Receive) -> dict[str, Any]:
    """The JSON object of a change; nothing at all is an empty one. Raises ExaiError. Cancelling leaves the rest unread."""
    media = header_of(scope, b"content-type").partition(b";")[0].strip().lower()
    if media != b"application/json":
        text = "a change is asked for with Content-Type: application/json"
        raise _Unacceptable(text, status=_NO_JSON)
    data = bytearray()
    with trio.move_on_after(_BODY_S) as patience:
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise InvalidRequestError("the body did not come whole")
            data += event.get("body", b"")
            if len(data) > _MOST_BYTES:
                raise _Unacceptable(f"a body has {_MOST_BYTES} bytes at most", status=_TOO_LARGE)
            if not event.get("more_body"):
                break
    if patience.cancelled_caught:
        raise InvalidRequestError("the body did not come in time")
    return _object(bytes(data))


def _object(data: bytes) -> dict[str, Any]:
    try:
        value: object = msgspec.json.decode(data) if data.strip() else {}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        raise ArgumentError(f"the body is no JSON: {fault}") from None
    if not isinstance(value, dict):
        raise ArgumentError("the body must be a JSON object")
    return cast("dict[str, Any]", value)


@structs.define(kw_only=True, eq=False, str=False)
class _Unacceptable(InvalidRequestError):
    status: int


def told(fault: ExaiError) -> Content:
    status = fault.status if isinstance(fault, _Unacceptable) else _STATUS.get(fault.code, _FAILED)
    content = failure(status, fault.code, fault.message)
    if fault.retry_after_s is None:
        return content
    return attrs.evolve(content, headers={"retry-after": f"{max(1, round(fault.retry_after_s))}"})


def refused(refusal: Refusal) -> Content:
    code = "UNAUTHORIZED" if refusal.status == UNAUTHORIZED else "INVALID_REQUEST"
    content = failure(refusal.status, code, refusal.text)
    if refusal.status != UNAUTHORIZED:
        return content
    return attrs.evolve(content, headers={"www-authenticate": "Bearer"})


def failure(status: int, code: str, message: str) -> Content:
    return Content(body=json_bytes({"error": {"code": code, "message": message}}), status=status)


def _head(content: Content) -> list[tuple[bytes, bytes]]:
    own = {"content-type": content.media, "content-length": str(len(content.body))}
    named = {**HEADERS, **_NO_STORE, **own, **content.headers}
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in named.items()]


async def respond(send: Send, content: Content, *, bare: bool = False) -> None:
    """Send it, or with `bare` its head alone. Cancelling may leave it half sent."""
    head = {"status": content.status, "headers": _head(content)}
    await send({"type": "http.response.start", **head})
    await send({"type": "http.response.body", "body": b"" if bare else content.body})


async def reject(send: Send, content: Content) -> None:
    """Answer a WebSocket's request as a plain one. Cancelling may leave the answer half sent."""
    head = {"status": content.status, "headers": _head(content)}
    await send({"type": "websocket.http.response.start", **head})
    await send({"type": "websocket.http.response.body", "body": content.body})


async def serve(site: Site, listeners: list[trio.SocketListener]) -> None:
    """Serve until cancelled, which cuts the answers that are on their way."""
    proxies, sockets = site.gate.proxies, bool(site.sockets)
    http = HttpSite(site, _MOST_CONNECTIONS, _IDLE_S, sockets=sockets, proxies=proxies)
    await http.serve(listeners)
