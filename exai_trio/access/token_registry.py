"""What is known of tokens that were issued: whose they are, what they may, and whether they were taken back. Pure but for its Protocol.

A token itself is kept nowhere: its id (jti) is.
"""

from collections.abc import Mapping
from typing import Protocol

import attrs

from exai_trio import structs

from .token_claims import Claims, Role


@structs.frozen(kw_only=True)
class Quota:
    """What a principal may use; 0 is no limit."""

    calls_per_minute: int = 0
    concurrent: int = 0
    tokens_per_day: int = 0

    def __bool__(self) -> bool:
        return bool(self.calls_per_minute or self.concurrent or self.tokens_per_day)


@structs.frozen(kw_only=True)
class IssuedToken:
    """One that `exai token` has issued; times are unix seconds."""

    id: str
    subject: str
    role: Role
    scope: str
    key_id: str
    issued_at: float
    ends: float
    quota: Quota = Quota()
    revoked_at: float | None = None
    used_at: float | None = None
    used_from: str = ""

    def is_good(self, now: float) -> bool:
        return self.revoked_at is None and self.ends > now


@structs.frozen
class QuotasOfTokens:
    """A principal has the quota of the one of its good tokens that was changed last."""

    _of: dict[str, dict[str, Quota]] = attrs.field(factory=dict[str, dict[str, Quota]])

    def take(self, token: IssuedToken, now: float) -> Quota:
        """The quota of its principal, now that this token was changed."""
        tokens = self._of.setdefault(token.subject, {})
        tokens.pop(token.id, None)
        if token.is_good(now):
            tokens[token.id] = token.quota
        return next(reversed(tokens.values()), Quota())


@structs.frozen
class Standing:
    """What the registry says of a token: its entry, and when all tokens of its subject were taken back."""

    token: IssuedToken | None = None
    all_revoked_at: float | None = None

    def is_good(self, claims: Claims) -> bool:
        """Whether a token with these claims is still taken. One that was written down and is not found any more is not."""
        if self.token is not None:
            return self.token.revoked_at is None and self.token.subject == claims.subject
        if claims.is_registered:
            return False
        cut = self.all_revoked_at
        return cut is None or (claims.issued_at is not None and claims.issued_at > cut)


@structs.frozen(kw_only=True)
class Changes:
    """What was changed since `number` was something less: entries as they are now, and subjects with the time from before which none of
    their tokens is good."""

    number: int = 0
    tokens: tuple[IssuedToken, ...] = ()
    subjects: Mapping[str, float] = attrs.field(factory=dict[str, float])


class TokenRegistry(Protocol):
    """Every method raises StorageError if it cannot be reached or refuses; cancelled, a change is made or not."""

    async def add(self, token: IssuedToken) -> None: ...

    async def look_up(self, token_id: str, subject: str) -> Standing: ...

    async def all(self) -> tuple[IssuedToken, ...]:
        """Oldest first, without those that ended long ago."""
        ...

    async def revoke(self, token_id: str, at: float) -> bool:
        """False if there is no such token, or it was revoked before."""
        ...

    async def revoke_all(self, subject: str, at: float, until: float) -> int:
        """How many tokens of this subject were good until then. Others of it, that were never written down, are not taken either if they were issued
        before; that is known until the time `until`."""
        ...

    async def set_quota(self, token_id: str, quota: Quota) -> bool:
        """False if there is no such token."""
        ...

    async def note_uses(self, uses: Mapping[str, tuple[float, str]]) -> None:
        """When each was used last, and from where."""
        ...

    async def changes(self, since: int) -> Changes:
        """The tokens in the order in which they were changed."""
        ...

    async def sweep(self, before: float) -> int:
        """Forget what ended before this time. Returns how much that was."""
        ...
