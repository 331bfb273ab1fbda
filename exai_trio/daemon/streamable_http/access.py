"""Who may use MCP over HTTP: by Host, Origin and token; and what pages of allowed origins are told (CORS)."""

import json
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs
import trio
from starlette.types import Scope

from exai_trio import structs
from exai_trio.errors import ExaiError, ServiceUnavailableError, UnauthorizedError
from exai_trio.wire.hosts import OurNames

from ..connections.auth import Authentication, refused_alike
from ..connections.identity import OWNER, Identity
from ..connections.local_peer import Peer, is_forwarded
from .access_tokens import AccessTokens, InsufficientScope
from .event_stream import Headers as HeaderList, Responder

_UNAUTHORIZED, _FORBIDDEN, _BAD_REQUEST, _UNAVAILABLE = 401, 403, 400, 503
METADATA: Final = "/.well-known/oauth-protected-resource"
_ALLOWED: Final = "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name"


@structs.define(eq=False)
class Denied(Exception):
    """The request is refused with this status, whatever it says."""

    status: int
    body: bytes = b""
    headers: HeaderList = attrs.field(factory=HeaderList)


@structs.define(eq=False)
class Access:
    """`public_url` is where clients find us, "" if nobody was told; `issued` checks the tokens of an authorization server, if one is
    named."""

    names: OurNames
    auth: Authentication
    public_url: str = ""
    issued: AccessTokens | None = None
    _owners: WeakKeyDictionary[Any, bool] = attrs.field(factory=WeakKeyDictionary[Any, bool])

    def cors(self, headers: Mapping[str, str]) -> HeaderList:
        """For a page of an allowed origin: it may read the answer and the session's id."""
        origin = headers.get("origin", "")
        if not origin or self.names.refusal(
            [(b"host", b"localhost"), (b"origin", origin.encode())]
        ):
            return []
        return [
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-expose-headers", b"mcp-session-id, www-authenticate"),
            (b"vary", b"origin"),
        ]

    async def answers_itself(
        self, scope: Scope, headers: Mapping[str, str], respond: Responder
    ) -> bool:
        """Whether the request was a preflight, or for what anybody may know. Raises Denied for another's Host or Origin. Cancelling
        cuts the connection."""
        here = scope.get("server")
        refused = self.names.refusal(scope["headers"], here[0] if here else "")
        if refused is not None:
            raise Denied(refused.status, _said(refused.text))
        if b"access_token=" in scope["query_string"]:
            raise Denied(
                _BAD_REQUEST,
                _said("a token in the URL ends in logs: send it as Authorization: Bearer"),
            )
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await respond.whole(204, b"", _preflight())
            return True
        if scope["path"] in {METADATA, f"{METADATA}/mcp"} and self.issued is not None:
            await respond.whole(200, json.dumps(self.issued.metadata()).encode())
            return True
        return False

    async def identity(self, scope: Scope, headers: Mapping[str, str]) -> Identity:
        """Whom the request is for. Raises Denied. Cancelling leaves a look at the peer to its thread, which ends by itself."""
        given = headers.get("authorization")
        try:
            if given is None:
                return await self._by_peer(scope, headers)
            return await refused_alike(self._by_token(given, scope))
        except InsufficientScope as fault:
            challenge = self._challenge("insufficient_scope")
            raise Denied(_FORBIDDEN, _said(str(fault)), challenge) from None
        except UnauthorizedError:
            if given is not None:
                self.auth.note_refusal(_address(scope))
            raise self._unauthorized("invalid_token" if given else "") from None
        except ServiceUnavailableError as fault:
            again = f"{fault.retry_after_s or 1:.0f}".encode()
            raise Denied(_UNAVAILABLE, _said(fault.message), [(b"retry-after", again)]) from None

    async def _by_token(self, given: str, scope: Scope) -> Identity:
        """Raises UnauthorizedError, ServiceUnavailableError."""
        kind, _, token = given.partition(" ")
        if kind.lower() != "bearer":
            raise UnauthorizedError("Authorization must be Bearer")
        try:
            return await self.auth.recognize(token, token, _address(scope))
        except UnauthorizedError:
            if self.issued is None:
                raise
        return await self.issued.identify(token)

    async def _by_peer(self, scope: Scope, headers: Mapping[str, str]) -> Identity:
        """The daemon's own user needs to show nothing, where that is so on the WebSocket; looked at once a connection. Raises
        UnauthorizedError."""
        tokens = self.auth.tokens
        if not tokens.admits_owner or is_forwarded(headers.keys()):
            return tokens.identify(None, None)
        stream: trio.SocketStream = scope["state"]["transport"]
        if stream not in self._owners:
            self._owners[stream] = await self.auth.peers.is_owner(Peer(stream))
        return OWNER if self._owners[stream] else tokens.identify(None, None)

    def expired(self) -> Denied:
        """What was shown was good when the request came, and is not any more."""
        return self._unauthorized("invalid_token")

    def _unauthorized(self, error: str) -> Denied:
        text = self.auth.tokens.advice or "show the daemon's token as Authorization: Bearer"
        return Denied(_UNAUTHORIZED, _said(text), self._challenge(error))

    def _challenge(self, error: str) -> HeaderList:
        parts = [f'error="{error}"'] if error else []
        if self.issued is not None:
            parts.append(f'resource_metadata="{self.public_url}{METADATA}"')
        return [(b"www-authenticate", f"Bearer {', '.join(parts)}".strip().encode())]


def forbidden(why: ExaiError) -> Denied:
    return Denied(_FORBIDDEN, _said(why.message))


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _said(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


def _preflight() -> HeaderList:
    return [
        (b"access-control-allow-methods", b"POST, GET, DELETE"),
        (b"access-control-allow-headers", _ALLOWED.encode()),
        (b"access-control-max-age", b"600"),
    ]
