"""The logins of pages: a code that opens one once, and the session token that a page then shows. Only hashes are kept; sessions outlive
the daemon, codes do not."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.errors import UnauthorizedError

from ...connections.identity import Identity
from .lasting_logins import LastingLogins

CODE_S: Final = 60.0
SESSION_S: Final = 12 * 3600.0
SESSION_PREFIX: Final = "page_"
_MOST_CODES: Final = 100
_MOST_SESSIONS: Final = 1_000
_LONGEST: Final = 200  # characters that are looked at
_NAME: Final = 8  # characters of a code, by which it is found; the rest is its secret
_TRIES: Final = 5


@structs.define(kw_only=True, eq=False)
class Login:
    """Until `ends`, in unix seconds; sooner if the credential that it began with is taken back. `secret` is the hash of a code's, and
    `tries` how often one may be wrong about it."""

    identity: Identity
    ends: float
    secret: bytes = attrs.field(default=b"", repr=False)
    tries: int = _TRIES

    def is_over(self, now: float) -> bool:
        revoked = self.identity.revoked
        return now >= self.ends or (revoked is not None and revoked.is_set())


@structs.define(eq=False, repr=False)
class PageLogins:
    """`now` is unix seconds; without `lasting` sessions end with the daemon."""

    _now: Callable[[], float]
    lasting: LastingLogins | None = None
    _codes: "_Table" = attrs.field(factory=lambda: _Table(_MOST_CODES))
    _sessions: "_Table" = attrs.field(factory=lambda: _Table(_MOST_SESSIONS))

    def code_for(self, identity: Identity) -> tuple[str, float]:
        """A code that opens one session, and the time at which it is of no use."""
        secret = secrets.token_urlsafe(32)
        name, ends = self._add(self._codes, "", identity, CODE_S, _hash(secret))
        return f"{name}{secret}", ends

    def redeem(self, code: str) -> Identity:
        """Whom the code was for, the first time. Raises UnauthorizedError; the fifth time that its secret is wrong it is of no use."""
        name, secret = code[:_NAME], code[_NAME:]
        login = self._codes.find(name)
        is_it = login is not None and hmac.compare_digest(login.secret, _hash(secret))
        if login is not None:
            login.tries -= 1
            if is_it or not login.tries:
                self._codes.take(name)
        if login is None or not is_it or login.is_over(self._now()):
            text = "this code is not valid: each is good once, for a minute; `exai dashboard` gives a new one"
            raise UnauthorizedError(text)
        return login.identity

    async def open(self, identity: Identity) -> tuple[str, float]:
        """A session token, and the time at which it ends. Cancelled, it may be there, and nobody knows it."""
        token, ends = self._add(self._sessions, SESSION_PREFIX, identity, SESSION_S)
        if self.lasting is not None:
            await self.lasting.keep(token, identity, ends)
        return token, ends

    async def close(self, token: str) -> None:
        """Raises StorageError: then it is over here, and may come back with the next daemon. So it may if this is cancelled."""
        known = self.find(token) is not None
        self._sessions.take(token)
        if known and self.lasting is not None:
            await self.lasting.forget(token)

    def find(self, token: str) -> Login | None:
        """None if it is not known, or over."""
        login = self._sessions.find(token) or self._taken_up(token)
        return None if login is None or login.is_over(self._now()) else login

    def identity_of(self, token: str) -> Identity | None:
        """Whom it stands for; None if it is not known, or over."""
        login = self.find(token)
        return None if login is None else login.identity

    def _taken_up(self, token: str) -> Login | None:
        found = self.lasting.taken_up(token[:_LONGEST]) if self.lasting is not None else None
        if found is None:
            return None
        login = Login(identity=found[0], ends=found[1])
        self._sessions.add(token, login)
        return login

    def _add(
        self,
        table: "_Table",
        prefix: str,
        identity: Identity,
        lasts_s: float,
        secret: bytes = b"",
    ) -> tuple[str, float]:
        ends = min(self._now() + lasts_s, identity.ends)
        table.drop_over(self._now())
        token = f"{prefix}{secrets.token_urlsafe(32)}" if prefix else secrets.token_urlsafe(6)
        table.add(token, Login(identity=identity, ends=ends, secret=secret))
        return token, ends


@structs.define(eq=False, repr=False)
class _Table:
    """By hash, the oldest first; of more than `most` the oldest goes."""

    most: int
    _kept: dict[bytes, Login] = attrs.field(factory=dict[bytes, Login])

    def add(self, token: str, login: Login) -> None:
        while len(self._kept) >= self.most:
            del self._kept[next(iter(self._kept))]
        self._kept[_hash(token)] = login

    def find(self, token: str) -> Login | None:
        return self._kept.get(_hash(token))

    def take(self, token: str) -> Login | None:
        return self._kept.pop(_hash(token), None)

    def drop_over(self, now: float) -> None:
        self._kept = {key: login for key, login in self._kept.items() if not login.is_over(now)}


def _hash(token: str) -> bytes:
    """So that what is kept opens nothing; and finding it by hash tells nothing by how long it takes."""
    return hashlib.sha256(token[:_LONGEST].encode(errors="surrogatepass")).digest()
