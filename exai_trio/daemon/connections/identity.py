"""Whom a connection speaks for, what that one may do, and how long."""

import math
from collections.abc import Callable
from typing import Final

import trio

from exai_trio import structs
from exai_trio.access.token_claims import Claims, Role
from exai_trio.errors import UnauthorizedError

_LOOK_AGAIN_S: Final = 30.0  # the clock may be set meanwhile
_VIEWER: Final = UnauthorizedError(
    "a viewer reads and calls nothing; ask for a token with the role user"
)


@structs.define(eq=False)
class Identity:
    """Good until the time `ends` (seconds since 1970), or until `revoked`, which is set when what was shown is good no more: then
    `why_revoked` says why. The connection that rotated the token has the next event here. `scopes` are those of a JWT, None of who may
    do everything; `claims` are a JWT's."""

    principal: str
    ends: float = math.inf
    revoked: trio.Event | None = None
    scopes: frozenset[str] | None = None
    role: Role = "user"
    claims: Claims | None = None
    why_revoked: str = "token rotated"

    @classmethod
    def of(cls, claims: Claims) -> "Identity":
        """Whom a JWT names."""
        return cls(
            claims.principal,
            ends=claims.ends,
            revoked=trio.Event(),
            scopes=claims.scopes,
            role=claims.role,
            claims=claims,
            why_revoked="token revoked",
        )

    @property
    def is_lasting(self) -> bool:
        return self.revoked is None and self.ends == math.inf

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    def told(self) -> dict[str, str]:
        """Who it is, for the access log."""
        claims = self.claims
        return {
            "who": self.principal,
            "role": self.role,
            "kid": claims.key_id if claims is not None else "",
            "on": claims.token_id if claims is not None else "",
        }

    @property
    def objection(self) -> UnauthorizedError | None:
        """Why it may call, cancel and change nothing, if so."""
        return _VIEWER if self.role == "viewer" else None

    def is_over(self, now: float) -> bool:
        return self.ends <= now or (self.revoked is not None and self.revoked.is_set())

    async def wait_over(self, now: Callable[[], float]) -> str:
        """Why it is over, once it is. Cancelling leaves nothing behind."""
        while (left := self.ends - now()) > 0:
            seen = self.revoked
            wait = seen.wait if seen is not None else trio.sleep_forever
            with trio.move_on_after(left if left == math.inf else min(left, _LOOK_AGAIN_S)):
                await wait()
            if seen is not None and seen.is_set() and self.revoked is seen:
                return self.why_revoked
        return "token expired"


OWNER: Final = Identity("anyone", role="admin")
