"""Logins of pages over a restart: what is kept of each, and whom one stands for when its page comes back.

A login ends with the token that it began with, also where that was changed while no daemon ran: its proof is a hash, keyed by the
session's own token, of the secret that stood for its principal or had signed its JWT.
"""

import hmac
import logging
from collections.abc import Callable
from hashlib import sha256

import attrs
import msgspec

from exai_trio import structs
from exai_trio.access.kept_logins import KeptLogin, LoginStore
from exai_trio.access.token_claims import Claims
from exai_trio.errors import StorageError, UnauthorizedError

from ...connections.auth import Authentication
from ...connections.identity import OWNER, Identity

log = logging.getLogger("exai.http")


@structs.define(eq=False, repr=False)
class LastingLogins:
    """`now` is unix seconds. A store that fails costs the logins their lasting, and nobody a login."""

    store: LoginStore
    auth: Authentication
    now: Callable[[], float]
    _before: dict[str, KeptLogin] = attrs.field(factory=dict[str, KeptLogin])

    async def read(self) -> None:
        """Know what earlier daemons have kept. Cancelling changes nothing."""
        try:
            self._before = {each.hash: each for each in await self.store.all(self.now())}
        except StorageError as fault:
            log.warning("logins of pages not read", extra={"fault": fault.message})

    async def keep(self, token: str, identity: Identity, ends: float) -> None:
        """Cancelled, it is kept or not."""
        kept = KeptLogin(
            hash=hash_of(token),
            principal=identity.principal,
            proof=self._proof(token, identity.principal, identity.claims),
            claims=_packed(identity.claims),
            ends=ends,
        )
        try:
            await self.store.add(kept, self.now())
        except StorageError as fault:
            log.warning("a login of a page not kept", extra={"fault": fault.message})

    async def forget(self, token: str) -> None:
        """Raises StorageError, since it might come back. Cancelled, it is forgotten or not."""
        hashed = hash_of(token)
        self._before.pop(hashed, None)
        await self.store.remove(hashed)

    def taken_up(self, token: str) -> tuple[Identity, float] | None:
        """Whom it stands for and until when, if an earlier daemon has kept it and it is good now."""
        kept = self._before.get(hash_of(token))
        identity = self._identity(kept, token) if kept is not None else None
        if kept is None or identity is None:
            return None
        del self._before[kept.hash]
        return identity, min(kept.ends, identity.ends)

    def _identity(self, kept: KeptLogin, token: str) -> Identity | None:
        claims = _unpacked(kept.claims)
        if not hmac.compare_digest(kept.proof, self._proof(token, kept.principal, claims)):
            return None
        if claims is not None:
            return self._of_claims(claims) if kept.proof else None
        if not kept.proof:
            return OWNER if self.auth.tokens.wants_none else None
        standing = self.auth.tokens.standing(kept.principal)
        return None if standing is None else standing[1]

    def _of_claims(self, claims: Claims) -> Identity | None:
        """By what the registry has said by now, which may be more in a second."""
        identity = Identity.of(claims)
        try:
            if self.auth.standings is not None:
                self.auth.standings.admit_known(identity, claims)
        except UnauthorizedError as fault:
            log.debug("a login of a page is of no use", extra={"why": fault.message})
            return None
        return identity

    def _proof(self, token: str, principal: str, claims: Claims | None) -> str:
        """ "" where nothing stands for the principal."""
        standing = self.auth.tokens.standing(principal)
        mark = standing[0] if standing is not None else ""
        if claims is not None:
            mark = self.auth.tokens.key_mark(claims)
        return hmac.new(token.encode(), mark.encode(), sha256).hexdigest() if mark else ""


def hash_of(token: str) -> str:
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def _packed(claims: Claims | None) -> str:
    return "" if claims is None else msgspec.json.encode(claims).decode()


def _unpacked(text: str) -> Claims | None:
    return msgspec.json.decode(text, type=Claims) if text else None
