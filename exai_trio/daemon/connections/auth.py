"""Who may connect: whoever shows the token or a good JWT, or the daemon's own user where neither is set.

The token can be rotated. Nothing here is ever logged.
"""

import hmac
import math
from collections.abc import Callable
from typing import Any, Final, cast

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, UnauthorizedError
from exai_trio.settings import tokens as rule
from exai_trio.system.clock import unix_now
from exai_trio.transport.token_file import named_token
from exai_trio.wire.messages import Hello

from .local_peer import LocalPeers, Peer

_ANYONE: Final = "anyone"
_LONGEST: Final = 8192  # characters of a token or JWT that are looked at
_END_OF_TIME: Final = 2**53


@structs.define(eq=False)
class Identity:
    """Whom a connection speaks for, and how long: until the time `ends` (seconds since 1970), or until `revoked`, which is set
    when the shared token that it showed is not the token any more. The connection that rotated it has the next event here. `scopes` are those of a JWT, None of who may
    do everything; `role` is what a JWT says."""

    principal: str
    ends: float = math.inf
    revoked: trio.Event | None = None
    scopes: frozenset[str] | None = None
    role: str = ""

    @property
    def is_lasting(self) -> bool:
        return self.revoked is None and self.ends == math.inf

    async def wait_over(self, now: Callable[[], float]) -> str:
        """Why it is over, once it is. Cancelling leaves nothing behind."""
        while (seen := self.revoked) is not None:
            await seen.wait()
            if self.revoked is seen:
                return "token rotated"
        while (left := self.ends - now()) > 0:  # noqa: ASYNC110 - the wall clock sets no event
            await trio.sleep(min(left, _LOOK_AGAIN_S))
        return "token expired"


_LOOK_AGAIN_S: Final = 30.0  # the clock may be set meanwhile
OWNER: Final = Identity(_ANYONE)


@structs.define(eq=False)
class Tokens:
    """The current token, if there is one, and how JWTs are checked. `made` is the token of the home, once there is one."""

    _config: Config = attrs.field(repr=False)
    _made: Callable[[], str] = attrs.field(default=str, repr=False)
    _now: Callable[[], float] = unix_now
    _token: str = attrs.field(init=False, repr=False)
    _revoked: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        """Raises ArgumentError for an EXAI_WS_TOKEN_FILE that is of no use."""
        file = self._config.ws_token_file
        near = self._config.loopback_only
        named = "" if file is None else named_token(file, on_loopback=near)
        self._token = self._config.own_token or named

    @property
    def admits_owner(self) -> bool:
        """Whether the daemon's own user needs to show nothing, and others the token of the home."""
        return self._config.makes_token

    @property
    def wants_none(self) -> bool:
        """Whether everybody who can connect is let in."""
        return self._config.admits_anyone

    @property
    def advice(self) -> str | None:
        """Where a token is to be had, for who is not the daemon's own user."""
        if not self.admits_owner:
            return None
        path = self._config.token_file
        return f"only the daemon's own user needs no token; it is in {path} (EXAI_WS_TOKEN_FILE)"

    def identify(self, token: str | None, jwt: str | None) -> Identity:
        """Who shows these. Raises UnauthorizedError."""
        if self._config.admits_anyone:
            return OWNER
        if _is_it(token, self._token):
            return Identity("token", revoked=self._revoked)
        if self.admits_owner and _is_it(token, self._made()):
            return OWNER
        if self._config.jwt_secret_key and jwt:
            return self._by_jwt(jwt)
        raise UnauthorizedError("wrong or missing token; set EXAI_WS_TOKEN to the daemon's value")

    def by_credential(self, shown: str) -> Identity:
        """Whom this token or JWT stands for; what admits anybody does not count. Raises UnauthorizedError."""
        if self.wants_none:
            raise UnauthorizedError("no token is wanted here, so that none says who it is")
        return self.identify(shown, shown)

    def principal(self, token: str | None, jwt: str | None) -> str:
        """Whom these stand for. Raises UnauthorizedError."""
        return self.identify(token, jwt).principal

    def _by_jwt(self, encoded: str) -> Identity:
        claims = self._claims(encoded) if len(encoded) <= _LONGEST else {}
        subject, ends = claims.get("sub"), claims.get("exp")
        if not isinstance(subject, str) or not subject.strip():
            raise UnauthorizedError("the JWT is not accepted: its sub names nobody")
        if isinstance(ends, bool) or not isinstance(ends, int | float):
            raise UnauthorizedError("the JWT is not accepted: its exp is no time")
        if not ends > self._now():  # NaN is not
            raise UnauthorizedError("the JWT is not accepted: it has expired")
        return Identity(
            f"jwt:{subject}",
            ends=float(min(ends, _END_OF_TIME)),
            scopes=_words(claims.get("scope")),
            role=str(claims.get("role", "")),
        )

    def _claims(self, encoded: str) -> dict[str, Any]:
        import jwt  # 60 ms that a daemon without JWT need not spend

        try:
            return jwt.decode(
                encoded,
                self._config.jwt_secret_key,
                algorithms=[self._config.jwt_algorithm],
                issuer=self._config.jwt_issuer or None,
                audience=self._config.jwt_audience or None,
                options={"require": ["exp", "sub"], "verify_exp": False},  # by our clock, above
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as fault:
            raise UnauthorizedError(f"the JWT is not accepted: {type(fault).__name__}") from None

    def rotate(self, old: str, new: str, by: Identity) -> None:
        """Replace the token until the next start; who showed it before is no more let in by it, except `by`, who goes on.

        Raises UnauthorizedError or ArgumentError.
        """
        if not _is_it(old, self._token):
            raise UnauthorizedError("old is not the current token")
        if not rule.is_good(new):
            raise ArgumentError(
                f"new must have {rule.ALLOWED}",
                details={"field": "new", "min_length": rule.LEAST, "max_length": rule.MOST},
            )
        revoked, self._revoked = self._revoked, trio.Event()
        self._token = new
        if by.revoked is revoked:
            by.revoked = self._revoked
        revoked.set()


@structs.frozen(eq=False)
class Authentication:
    """Whom a hello speaks for, by what it shows or, where that is enough, by whose process sent it."""

    tokens: Tokens
    peers: LocalPeers = attrs.field(factory=LocalPeers)

    async def identify(self, hello: Hello, peer: Peer) -> Identity | None:
        """None if it may not come in. Cancelling leaves a look at the peer to its thread, which ends by itself."""
        try:
            return self.tokens.identify(hello.token, hello.jwt)
        except UnauthorizedError:
            if not self.tokens.admits_owner:
                return None
        return OWNER if await self.peers.is_owner(peer) else None


def _words(claim: object) -> frozenset[str]:
    """The scopes that a JWT names, in one text or in a list."""
    if isinstance(claim, str):
        return frozenset(claim.split())
    return (
        frozenset(map(str, cast("list[object]", claim))) if isinstance(claim, list) else frozenset()
    )


def _is_it(given: str | None, expected: str) -> bool:
    """Whether both are the same token, of which there is one. In constant time."""
    if not given or not expected or len(given) > _LONGEST:
        return False
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())
