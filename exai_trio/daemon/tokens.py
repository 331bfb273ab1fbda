"""Who may connect: the shared token, which can be rotated, and JWTs. Nothing here is ever logged."""

import hmac
from typing import Any

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, UnauthorizedError

_LEAST_TOKEN_LENGTH = 16
_ANYONE = "anyone"


@structs.define(eq=False)
class Tokens:
    """The current token, if there is one, and how JWTs are checked."""

    _config: Config = attrs.field(repr=False)
    _token: str = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._token = self._config.ws_token

    def principal(self, token: str | None, jwt: str | None) -> str:
        """Who the client is. Raises UnauthorizedError."""
        if not self._token and not self._config.jwt_secret_key:
            return _ANYONE
        if self._token and token and _same(token, self._token):
            return "token"
        if self._config.jwt_secret_key and jwt:
            return f"jwt:{self._claims(jwt).get('sub', '')}"
        raise UnauthorizedError("wrong or missing token; set EXAI_WS_TOKEN to the daemon's value")

    def _claims(self, encoded: str) -> dict[str, Any]:
        import jwt  # noqa: PLC0415 - 60 ms that a daemon without JWT need not spend

        try:
            return jwt.decode(
                encoded,
                self._config.jwt_secret_key,
                algorithms=[self._config.jwt_algorithm],
                issuer=self._config.jwt_issuer or None,
                audience=self._config.jwt_audience or None,
            )
        except jwt.PyJWTError as fault:
            raise UnauthorizedError(f"the JWT is not accepted: {type(fault).__name__}") from None

    def rotate(self, old: str, new: str) -> None:
        """Replace the token until the next start. Raises UnauthorizedError or ArgumentError."""
        if not self._token or not _same(old, self._token):
            raise UnauthorizedError("old is not the current token")
        if len(new) < _LEAST_TOKEN_LENGTH:
            raise ArgumentError(
                f"new must have at least {_LEAST_TOKEN_LENGTH} characters",
                details={"field": "new", "min_length": _LEAST_TOKEN_LENGTH},
            )
        self._token = new


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
