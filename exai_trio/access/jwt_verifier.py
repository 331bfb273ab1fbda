"""Tokens become claims: signed by a key of ours, by that key's own algorithm, and small enough to be looked at."""

import base64
import re
from collections.abc import Callable
from typing import Final

from exai_trio import structs
from exai_trio.errors import UnauthorizedError

from .jwt_keys import JwtKey, JwtKeys
from .token_claims import Claims, Expected, claims_of, json_object

LONGEST: Final = 8192  # bytes of a token that are looked at
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def looks_like_jwt(text: str | None) -> bool:
    """Whether it has the form, which no other token has to have."""
    return text is not None and len(text) <= LONGEST and _FORM.fullmatch(text) is not None


def names_key(token: str) -> bool:
    """Whether it names a key, by what it says of itself. Raises UnauthorizedError."""
    return "kid" in json_object(_decoded(token.partition(".")[0]))


@structs.define(eq=False)
class JwtVerifier:
    """`keys` gives those that are named by kid; `secret` is for tokens that name none, if there is one."""

    keys: Callable[[], JwtKeys]
    secret: JwtKey | None
    expected: Expected
    now: Callable[[], float]

    def claims(self, token: str) -> Claims:
        """What the token says. As much work is done for one whose key is not known. Raises UnauthorizedError."""
        if not looks_like_jwt(token):
            raise UnauthorizedError("the JWT is not accepted: it is too long, or none")
        head_text, payload_text, signature_text = token.split(".")
        head = json_object(_decoded(head_text))
        key_id = head.get("kid", "")
        if not isinstance(key_id, str) or {"crit", "b64"} & head.keys():
            raise UnauthorizedError("the JWT is not accepted: its head asks for what is not known")
        key = self._key(key_id if "kid" in head else None)
        signed = f"{head_text}.{payload_text}".encode()
        is_good = _verifies(key or self._of_the_same_cost(), signed, _decoded(signature_text))
        if key is None or not is_good or head.get("alg") != key.algorithm:
            raise UnauthorizedError("the JWT is not accepted: no key of ours has signed it")
        return claims_of(_decoded(payload_text), self.expected, self.now(), key_id=key.id)

    def key_mark(self, claims: Claims) -> str:
        """What is another once the key that has signed these is; a secret. "" if it is none of ours any more."""
        key = self._key(claims.key_id or None)
        return "" if key is None else key.mark

    def _key(self, key_id: str | None) -> JwtKey | None:
        """A token that names a key has that one or none; one that names none has JWT_SECRET_KEY's."""
        return self.secret if key_id is None else self.keys().find(key_id, self.now())

    def _of_the_same_cost(self) -> JwtKey:
        """A key that has signed nothing."""
        key = self.keys().signing or self.secret
        if key is None:
            raise UnauthorizedError("the JWT is not accepted: there are no keys")
        return key


def _verifies(key: JwtKey, signed: bytes, signature: bytes) -> bool:
    try:
        return key.verifies(signed, signature)
    except (ValueError, TypeError):
        raise UnauthorizedError("the JWT is not accepted: its signature is none") from None


def _decoded(text: str) -> bytes:
    """Raises UnauthorizedError for what is not written as base64url writes it."""
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise UnauthorizedError("the JWT is not accepted: it is no base64url") from None
    if base64.urlsafe_b64encode(found).rstrip(b"=") != text.encode():
        raise UnauthorizedError("the JWT is not accepted: it is no base64url")
    return found
