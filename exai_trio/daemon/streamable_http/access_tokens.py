"""Access tokens of an authorization server: we are its resource, and take what it has signed for us."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import trio

from exai_trio import structs
from exai_trio.access.token_claims import role_of
from exai_trio.errors import UnauthorizedError

from ..connections.identity import Identity

if TYPE_CHECKING:  # PyJWT is imported when the first token is shown
    import jwt

log = logging.getLogger("exai.http")

_ALGORITHMS: Final = ("RS256", "ES256")
_LONGEST: Final = 8192  # characters of a token that are looked at
_LEEWAY_S: Final = 10.0
_AGAIN_S: Final = 60.0  # from one look at the keys to the next, for a key that is not known
_FETCH_S: Final = 5.0

Fetch = Callable[[str], Awaitable[dict[str, Any]]]


class InsufficientScope(UnauthorizedError):
    """The token is good, and not for this."""


@structs.define(eq=False)
class AccessTokens:
    """`issuer` signs, `resource` is the URL that tokens must be for, `scope` what they must allow, "" for anything. `fetch` gets a JSON
    document."""

    issuer: str
    resource: str
    scope: str
    fetch: Fetch
    now: Callable[[], float]
    _keys: "jwt.PyJWKSet | None" = None
    _asked_at: float = float("-inf")
    _asking: trio.Lock = attrs.field(factory=trio.Lock)

    def metadata(self) -> dict[str, Any]:
        """What RFC 9728 has a resource say of itself."""
        told: dict[str, Any] = {
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        }
        return told | ({"scopes_supported": [self.scope]} if self.scope else {})

    async def identify(self, token: str) -> Identity:
        """Whom it was given to. Raises UnauthorizedError, InsufficientScope. Cancelling leaves the keys as they were."""
        if len(token) > _LONGEST:
            raise UnauthorizedError("no token of this service")
        claims = await self._claims(token)
        subject, ends = claims.get("sub"), claims.get("exp")
        if not isinstance(subject, str) or not subject.strip() or not isinstance(ends, int | float):
            raise UnauthorizedError("the token names nobody, or no end")
        if not ends > self.now() - _LEEWAY_S:
            raise UnauthorizedError("the token has expired")
        if self.scope and self.scope not in _scopes(claims):
            raise InsufficientScope(f"the token does not allow {self.scope}")
        return Identity(
            f"jwt:{subject}",
            ends=float(ends),
            role=role_of(claims),
            scopes=frozenset(_scopes(claims)),
        )

    async def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        try:
            head = jwt.get_unverified_header(token)
            key = await self._key(head)
            return jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS),
                issuer=[self.issuer, f"{self.issuer}/"],  # settings have no slash at the end
                audience=self.resource,
                options={"require": ["exp", "sub", "iss", "aud"], "verify_exp": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as fault:
            raise UnauthorizedError(f"the token is not accepted: {type(fault).__name__}") from None

    async def _key(self, head: dict[str, Any]) -> "jwt.PyJWK":
        """The key that the token names, of those that the server has published. Raises UnauthorizedError."""
        algorithm, name = head.get("alg"), head.get("kid")
        if algorithm not in _ALGORITHMS:
            raise UnauthorizedError("tokens are signed by RS256 or ES256")
        found = self._known(name)
        if found is None:
            async with self._asking:
                found = self._known(name) or await self._asked(name)
        if found is None or found.algorithm_name != algorithm:
            raise UnauthorizedError("the key of the token is not known")
        return found

    def _known(self, name: object) -> "jwt.PyJWK | None":
        keys = self._keys.keys if self._keys is not None else []
        return next((key for key in keys if key.key_id == name), None)

    async def _asked(self, name: object) -> "jwt.PyJWK | None":
        """After another look at what is published; at most one a minute."""
        import jwt

        if trio.current_time() - self._asked_at < _AGAIN_S:
            return None
        self._asked_at = trio.current_time()
        try:
            with trio.fail_after(_FETCH_S):
                about = await self.fetch(f"{self.issuer.rstrip('/')}{_ABOUT}")
                self._keys = jwt.PyJWKSet.from_dict(await self.fetch(str(about.get("jwks_uri"))))
        except (OSError, ValueError, TypeError, trio.TooSlowError, jwt.PyJWTError) as fault:
            log.warning("keys of the authorization server not read", extra={"fault": repr(fault)})
            return None
        return self._known(name)


_ABOUT: Final = "/.well-known/oauth-authorization-server"


def _scopes(claims: dict[str, Any]) -> set[str]:
    told: object = claims.get("scope") or claims.get("scp") or ""
    if isinstance(told, str):
        return set(told.split())
    return set(map(str, cast("list[object]", told))) if isinstance(told, list) else set()
