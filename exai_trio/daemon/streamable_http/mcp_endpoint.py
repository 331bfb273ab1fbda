"""The one URL of MCP over HTTP: who may ask, in which era, and what is done with each method."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

import trio
from starlette.types import Receive, Scope, Send

from exai_trio import structs
from exai_trio.errors import OverCapacityError, StorageError
from exai_trio.mcp import jsonrpc
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.principals import principal_of

from ..connections.identity import Identity
from . import event_ids, request_rules as rules
from .access import Access, Denied, forbidden
from .desks import Desks
from .event_stream import SOON_S, Gone, Responder, mark_of
from .front_desk import FrontDesk
from .http_exchange import Exchange
from .request_rules import BadRequest
from .stream_limits import while_good

log = logging.getLogger("exai.http")

PATH: Final = "/mcp"
SESSION_HEADER: Final = "mcp-session-id"
# The transport's own rule, whatever a call may have.
_MOST_BYTES: Final = 10 * 2**20
_BODY_S: Final = 30.0
_AT_ONCE_S: Final = 0.02
_ACCEPTED, _NO_CONTENT, _FAILED, _UNAVAILABLE = 202, 204, 500, 503
_INTERNAL: Final = -32603  # JSON-RPC's


@structs.frozen(eq=False)
class Endpoint:
    """An ASGI application. Raises nothing: a request never takes another down. Cancelling cuts what is being told; calls go on."""

    desks: Desks
    access: Access
    most_bytes: int = _MOST_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = rules.headers_of(scope["headers"])
        respond = Responder(receive, send, self.access.cors(headers))
        try:
            await self._answer(scope, headers, respond)
        except Denied as denied:
            await respond.whole(denied.status, denied.body, denied.headers)
        except BadRequest as bad:
            await respond.whole(bad.status, bad.body)
        except (StorageError, OverCapacityError) as fault:
            body = jsonrpc.error(None, -32000, fault.message)
            await respond.whole(_UNAVAILABLE, body, [(b"retry-after", b"1")])
        except Gone:
            log.debug("an MCP client has gone", extra={"method": scope["method"]})
        except Exception:
            log.exception("an MCP request failed")
            if not respond.has_begun:
                body = jsonrpc.error(None, _INTERNAL, "the request could not be handled")
                await respond.whole(_FAILED, body)

    async def _answer(self, scope: Scope, headers: Mapping[str, str], respond: Responder) -> None:
        if await self.access.answers_itself(scope, headers, respond):
            return
        if scope["path"] != PATH:
            raise BadRequest(rules.NOT_FOUND, f"the path is {PATH}")
        identity = await self.access.identity(scope, headers)
        answering = {"POST": self._post, "GET": self._get, "DELETE": self._delete}
        answer = answering.get(scope["method"])
        if answer is None:
            raise _not_allowed("POST, GET, DELETE")
        work = partial(answer, identity, headers, respond)
        is_done = await while_good(identity, self.desks.context.clock.now, work)
        if not (is_done or respond.has_begun):
            raise self.access.expired()

    async def _post(
        self, identity: Identity, headers: Mapping[str, str], respond: Responder
    ) -> None:
        rules.check_types(headers, posts=True)
        principal = principal_of(identity.principal)
        body = await self._body(headers, respond)
        head = rules.read_head(body)
        if rules.is_stateless(headers, head):
            rules.check_stateless(headers, head)
            desk = await self.desks.passing(principal, lasting=head.has_key)
            desk.objection = identity.objection
            await self._stateless(desk, body, respond)
        elif head.method == "initialize":
            await self._initialize(principal, body, respond)
        else:
            desk = await self._found(identity, headers)
            desk.objection = identity.objection
            await self._in_session(desk, body, headers, respond)

    async def _body(self, headers: Mapping[str, str], respond: Responder) -> bytes:
        """Raises BadRequest, as soon as it is known to be too large; Gone."""
        length = headers.get("content-length", "")
        known = int(length) if length.isdigit() else -1
        if known > self.most_bytes:
            raise _too_large(self.most_bytes)
        with trio.move_on_after(_BODY_S):
            return await self._received(known, respond)
        raise BadRequest(408, "the body did not come in time")

    async def _received(self, known: int, respond: Responder) -> bytes:
        """All of a body; its end is not waited for where its length is known."""
        body = bytearray()
        while True:
            event = await respond.receive()
            if event["type"] == "http.disconnect":
                raise Gone
            body += event.get("body", b"")
            if len(body) > self.most_bytes:
                raise _too_large(self.most_bytes)
            if len(body) == known or not event.get("more_body"):
                return bytes(body)

    # The era without sessions

    async def _stateless(self, desk: FrontDesk, body: bytes, respond: Responder) -> None:
        """A client that leaves is a client that cancels."""
        exchange = _heard(desk, body, alone=True)
        if exchange is None:
            await respond.whole(_ACCEPTED, b"")
        elif exchange.is_over:
            status = rules.status_of(exchange.error_code())
            await respond.whole(status, exchange.lines[0])
        else:
            try:
                await self._while_there(exchange, respond)
            except Gone:
                desk.withdraw(exchange)
                raise
            desk.forget(exchange)

    async def _while_there(self, exchange: Exchange, respond: Responder) -> None:
        """Raises Gone as soon as its client is; of one that is answered at once, nobody looks whether it is."""
        await _wait_said(exchange, _AT_ONCE_S)
        if exchange.is_over:
            await self._tell(exchange, respond, primed=False)
            return
        async with trio.open_nursery() as legs:
            there = legs.cancel_scope
            legs.start_soon(respond.cancel_when_gone, there)
            await _wait_said(exchange, SOON_S)
            there.cancel(reason="it is told now")
        if respond.has_gone:
            raise Gone
        await self._tell(exchange, respond, primed=False)

    async def _tell(self, exchange: Exchange, respond: Responder, *, primed: bool) -> None:
        if exchange.is_over and len(exchange.lines) == 1:
            await respond.whole(200, exchange.lines[0])
        else:
            await respond.events(exchange, 0, mark_of(exchange), primed=primed)

    # The era with sessions

    async def _initialize(self, principal: str, body: bytes, respond: Responder) -> None:
        session_id, desk = await self.desks.open(principal)
        exchange = _heard(desk, body)
        if exchange is None or not exchange.is_over or exchange.error_code():
            self.desks.end(session_id)
            text = exchange.lines[0] if exchange and exchange.lines else b""
            await respond.whole(rules.BAD_REQUEST, text)
            return
        desk.forget(exchange)
        named = [(SESSION_HEADER.encode(), session_id.encode())]
        await respond.whole(200, exchange.lines[0], named)

    async def _in_session(
        self, desk: FrontDesk, body: bytes, headers: Mapping[str, str], respond: Responder
    ) -> None:
        """A client that leaves comes back to it, or does not: the call goes on."""
        dialect = Dialect(rules.version_of(headers))
        desk.server.continue_in(dialect)
        exchange = _heard(desk, body)
        if exchange is None:
            await respond.whole(_ACCEPTED, b"")
            return
        await _wait_said(exchange, SOON_S)
        primed = dialect.version >= rules.RESUMABLE_FROM and bool(exchange.key)
        await self._tell(exchange, respond, primed=primed)
        desk.told(exchange)

    async def _get(
        self, identity: Identity, headers: Mapping[str, str], respond: Responder
    ) -> None:
        rules.check_types(headers, posts=False)
        if headers.get(rules.VERSION_HEADER) in STATELESS_VERSIONS:
            raise _not_allowed("POST")
        desk = await self._found(identity, headers)
        told = headers.get("last-event-id")
        if told is None:
            own = desk.listen()
            await respond.events(own, 0, mark_of(own), primed=False)
            return
        place = _place(told)
        exchange = desk.resumed(place, Dialect(rules.version_of(headers)))
        if exchange is None:
            raise _unknown_event()
        await respond.events(exchange, place.number, mark_of(exchange), primed=False)
        desk.told(exchange)

    async def _delete(
        self, identity: Identity, headers: Mapping[str, str], respond: Responder
    ) -> None:
        if headers.get(rules.VERSION_HEADER) in STATELESS_VERSIONS:
            raise _not_allowed("POST")
        await self._found(identity, headers)
        if identity.objection is not None:
            raise forbidden(identity.objection)
        self.desks.end(headers[SESSION_HEADER])
        await respond.whole(_NO_CONTENT, b"")

    async def _found(self, identity: Identity, headers: Mapping[str, str]) -> FrontDesk:
        version = headers.get(rules.VERSION_HEADER, rules.DEFAULT_VERSION)
        if version not in HANDSHAKE_VERSIONS:
            raise BadRequest(rules.BAD_REQUEST, f"version {version[:40]!r} is not spoken here")
        session_id = headers.get(SESSION_HEADER)
        if not session_id:
            raise BadRequest(rules.BAD_REQUEST, "Mcp-Session-Id is missing: initialize first")
        desk = await self.desks.find(session_id, principal_of(identity.principal))
        if desk is None:
            raise BadRequest(rules.NOT_FOUND, "this session is not known: initialize anew")
        return desk


def _heard(desk: FrontDesk, body: bytes, *, alone: bool = False) -> Exchange | None:
    """Where the answer will stand; None if none is wanted. Raises BadRequest."""
    message = jsonrpc.parse(body)
    if message is None:
        raise BadRequest(rules.BAD_REQUEST, "the body is empty", code=jsonrpc.PARSE_ERROR)
    if isinstance(message, jsonrpc.Fault):
        raise BadRequest(rules.BAD_REQUEST, message.message, message.id, message.code)
    exchange = desk.hear(message, alone=alone)
    if exchange is None and isinstance(message, jsonrpc.Request):
        text = "this id belongs to an open request"
        raise BadRequest(rules.BAD_REQUEST, text, message.id)
    return exchange


async def _wait_said(exchange: Exchange, within: float) -> None:
    """Return when something is to be told, or after so many seconds."""
    with trio.move_on_after(within):
        await exchange.wait_said()


def _place(told: str) -> event_ids.Place:
    try:
        return event_ids.read(told)
    except ValueError:
        raise _unknown_event() from None


def _unknown_event() -> BadRequest:
    text = "this Last-Event-ID is not known here"
    return BadRequest(rules.BAD_REQUEST, text)


def _not_allowed(allowed: str) -> Denied:
    return Denied(rules.NOT_ALLOWED, b"", [(b"allow", allowed.encode())])


def _too_large(most: int) -> BadRequest:
    return BadRequest(rules.TOO_LARGE, f"a message has {most} bytes at most")
