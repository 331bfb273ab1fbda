"""Whether the tokens of this daemon's connections are still good: asked of the registry at each hello, and again and again while they last."""

import math
from collections.abc import Callable, Mapping
from typing import Final
from weakref import WeakSet

import attrs
import trio

from exai_trio import structs
from exai_trio.access.token_claims import Claims
from exai_trio.access.token_registry import IssuedToken, Quota, QuotasOfTokens, TokenRegistry
from exai_trio.errors import ServiceUnavailableError, StorageError, UnauthorizedError
from exai_trio.monitoring.alerts.alert_rules import REGISTRY_AWAY

from .identity import Identity

_LOOK_S: Final = 1.0
_KNOWN_S: Final = 60.0
_AGAIN_S: Final = 1.0  # a hint to clients, who decide
_MOST_USES: Final = 10_000  # between two looks

QuotaTold = Callable[[str, Quota], None]


def _unheard(_name: str, _text: str | None) -> None:
    """Hears of trouble until somebody else does."""


@structs.define(eq=False)
class Standings:
    """`quota_told` hears what quota a principal has, when that was changed, and at a hello with a token that was not heard of yet.
    `has_keys`: JWTs may come. `trouble` hears while the registry cannot be asked, and None then."""

    registry: TokenRegistry
    now: Callable[[], float]
    quota_told: QuotaTold
    has_keys: Callable[[], bool] = bool
    trouble: Callable[[str, str | None], None] = _unheard
    _live: WeakSet[Identity] = attrs.field(factory=WeakSet[Identity])
    _uses: dict[str, tuple[float, str]] = attrs.field(factory=dict[str, tuple[float, str]])
    _known: dict[Claims, float] = attrs.field(factory=dict[Claims, float])
    _entries: dict[str, bool] = attrs.field(factory=dict[str, bool])
    _cuts: dict[str, float] = attrs.field(factory=dict[str, float])
    _quotas: QuotasOfTokens = attrs.field(factory=QuotasOfTokens)
    _watches: bool = False
    _seen: int = 0
    _is_away: bool = False

    async def admit(self, claims: Claims | None, address: str) -> Identity:
        """Whom these claims speak for; without any, for nobody, after as much work. Raises UnauthorizedError; ServiceUnavailableError if the
        registry cannot be asked. Cancelling leaves nothing behind."""
        token_id = claims.token_id if claims is not None else ""
        subject = claims.subject if claims is not None else ""
        try:
            standing = await self.registry.look_up(token_id, subject)
        except StorageError as fault:
            self._note_away(fault)
            return self._known_before(claims, fault)
        if claims is None or not standing.is_good(claims):
            raise UnauthorizedError("the JWT is not accepted: it was revoked, or nobody knows it")
        self._note_known(claims)
        if standing.token is not None:
            self._note(standing.token, address)
        return self._identity(claims)

    def _identity(self, claims: Claims) -> Identity:
        identity = Identity.of(claims)
        self._live.add(identity)
        return identity

    def _note_known(self, claims: Claims) -> None:
        self._known.pop(claims, None)
        self._known[claims] = self.now()
        if len(self._known) > _MOST_USES:
            del self._known[next(iter(self._known))]

    def _note_away(self, fault: StorageError) -> None:
        self._is_away = True
        self.trouble(REGISTRY_AWAY, f"{fault.message}; nobody new is let in by a JWT meanwhile")

    def _known_before(self, claims: Claims | None, fault: StorageError) -> Identity:
        """Who was let in within the last minute comes in again while the registry is away. Raises ServiceUnavailableError."""
        seen = self._known.get(claims, -math.inf) if claims is not None else -math.inf
        if claims is None or not 0 <= self.now() - seen <= _KNOWN_S:
            raise ServiceUnavailableError(
                "tokens cannot be checked now; try again", retry_after_s=_AGAIN_S
            ) from fault
        return self._identity(claims)

    def _note(self, token: IssuedToken, address: str) -> None:
        if token.id not in self._entries:
            self.quota_told(f"jwt:{token.subject}", token.quota)
        if token.id in self._uses or len(self._uses) < _MOST_USES:
            self._uses[token.id] = (self.now(), address)

    def admit_known(self, identity: Identity, claims: Claims) -> None:
        """Let it in by what the registry said last. Raises UnauthorizedError."""
        self._watches = True
        is_known = self._entries.get(claims.token_id, not claims.is_registered)
        if not is_known or _is_cut(claims, self._cuts):
            raise UnauthorizedError("the JWT is not accepted: it was revoked, or nobody knows it")
        self._live.add(identity)

    async def run(self) -> None:
        """End within seconds what was revoked, until cancelled. Where no JWT was shown nothing is asked."""
        self._watches = self.has_keys()
        while True:
            await trio.sleep(_LOOK_S)
            if self._live or self._uses or self._is_away or self._watches:
                await self.look()

    async def look(self) -> None:
        """Write down what was used, and hear what was changed. What cannot be asked now is asked later."""
        uses, self._uses = self._uses, {}
        try:
            if uses:
                await self.registry.note_uses(uses)
            changes = await self.registry.changes(self._seen)
            if self._is_away:
                self._is_away = False
                self.trouble(REGISTRY_AWAY, None)
        except StorageError as fault:
            self._uses = uses | self._uses
            self._note_away(fault)
            return
        if changes.number < self._seen:  # it was emptied
            self._entries.clear()
        for token in changes.tokens:
            self.quota_told(f"jwt:{token.subject}", self._quotas.take(token, self.now()))
        self._entries |= {token.id: token.revoked_at is None for token in changes.tokens}
        self._cuts |= changes.subjects
        self._seen = changes.number
        for identity in list(self._live):
            claims = identity.claims
            if claims is not None and not self._is_good(claims):
                self._end(identity)

    def _is_good(self, claims: Claims) -> bool:
        return self._entries.get(claims.token_id, True) and not _is_cut(claims, self._cuts)

    def _end(self, identity: Identity) -> None:
        self._live.discard(identity)
        if identity.revoked is not None:
            identity.revoked.set()


def _is_cut(claims: Claims, cuts: Mapping[str, float]) -> bool:
    """Whether all tokens of its subject were taken back after it was issued. Those that were written down are told one by one."""
    cut = cuts.get(claims.subject)
    is_old = cut is not None and (claims.issued_at is None or claims.issued_at <= cut)
    return is_old and not claims.is_registered
