"""The gate of our HTTP ports: whose requests and WebSockets are let in, as whom, and what every response says to browsers.

There are no cookies, so a browser adds nothing of its own that would let a foreign page in; Host, Origin and Sec-Fetch-Site are
looked at all the same.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from exai_trio import structs
from exai_trio.config import is_loopback
from exai_trio.errors import UnauthorizedError
from exai_trio.transport.trusted_proxies import TrustedProxies
from exai_trio.wire.hosts import FORBIDDEN, OurNames, Refusal

from ..connections.auth import Authentication
from ..connections.identity import Identity
from ..connections.local_peer import is_forwarded
from .logins.page_logins import SESSION_PREFIX, PageLogins
from .page_viewer import Gives, Viewer, viewer_of

log = logging.getLogger("exai.http")

Scope = dict[str, Any]
UNAUTHORIZED: Final = 401
_HEALTH: Final = "/health"
_SOME_HOST: Final = (b"host", b"localhost")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": _POLICY,
}
_OUR_SITES: Final = frozenset({b"", b"same-origin", b"none"})
_ADVICE: Final = (
    "log in: `exai dashboard` opens this page with a code, or send a token as Authorization: Bearer"
)


@structs.frozen(eq=False)
class Gate:
    """The same for all of our HTTP ports but that of MCP."""

    names: OurNames
    auth: Authentication
    logins: PageLogins
    proxies: TrustedProxies = TrustedProxies()

    def refusal(self, scope: Scope) -> Refusal | None:
        """Why a request is not looked at, whoever sends it."""
        here = scope.get("server")
        headers = scope["headers"]
        if scope["path"].startswith(_HEALTH) and all(name != b"host" for name, _ in headers):
            headers = [_SOME_HOST, *headers]  # a balancer's check, for no browser leaves it out
        refused = self.names.refusal(headers, here[0] if here else "")
        return refused or _foreign_site(scope)

    def viewer(self, scope: Scope, token: str = "") -> Viewer:
        """Who asks: by `token`, or by the Bearer of the request. A credential that is none makes nobody of anybody."""
        near, shown = is_near(scope), token or bearer_of(scope)
        identity = self.identify(shown)
        if identity is None:
            if shown:
                self.auth.note_refusal(address_of(scope))
            return Viewer(is_near=near)
        return viewer_of(identity.principal, identity.role, is_near=near)

    def identify(self, token: str) -> Identity | None:
        """Whom a page's session token, the shared token or a JWT stands for. What lets anybody in is no credential."""
        if not token:
            return None
        if token.startswith(SESSION_PREFIX):
            return self.logins.identity_of(token)
        try:
            return self.auth.by_credential(token)
        except UnauthorizedError as fault:
            log.debug("a credential is of no use", extra={"why": fault.message})
            return None


def address_of(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def denial(viewer: Viewer, gives: Gives) -> Refusal | None:
    """Why this viewer may not have that."""
    if viewer.may(gives):
        return None
    if viewer.has_logged_in:
        return Refusal(FORBIDDEN, f"your role ({viewer.role}) does not allow this")
    return Refusal(UNAUTHORIZED, _ADVICE)


def is_near(scope: Scope) -> bool:
    """Whether a program of this machine asks for itself: a proxy asks for others."""
    client = scope.get("client")
    if is_forwarded(name.decode("latin-1") for name, _ in scope["headers"]):
        return False
    return client is None or is_loopback(str(client[0]))


def header_of(scope: Mapping[str, Any], name: bytes) -> bytes:
    """The first of that name; names are in lower case."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def bearer_of(scope: Scope) -> str:
    given = header_of(scope, b"authorization").decode("latin-1")
    kind, _, token = given.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _foreign_site(scope: Scope) -> Refusal | None:
    """A page of another site may lead here by a link, and nothing else. One whose Origin is allowed is no foreign page."""
    site = header_of(scope, b"sec-fetch-site")
    if site in _OUR_SITES or header_of(scope, b"origin"):
        return None
    is_link = (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and header_of(scope, b"sec-fetch-mode") == b"navigate"
        and header_of(scope, b"sec-fetch-dest") == b"document"
    )
    return None if is_link else Refusal(FORBIDDEN, "a page of another site may not ask here")
