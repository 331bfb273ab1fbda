"""Who may connect: whoever shows the token or a good JWT, or the daemon's own user where neither is set.

Nothing here is ever logged.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.access.access_log import AccessLog
from exai_trio.access.jwt_keys import JwtKey, secret_key
from exai_trio.access.jwt_verifier import JwtVerifier, looks_like_jwt, names_key
from exai_trio.access.kept_logins import LoginStore
from exai_trio.access.shared_token import (
    Rotation,
    SharedToken,
    read_rotation,
    rotation_file,
    same,
)
from exai_trio.access.token_claims import Claims, Expected
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, UnauthorizedError
from exai_trio.settings import tokens as rule
from exai_trio.system.clock import unix_now
from exai_trio.transport.token_file import named_token
from exai_trio.wire.messages import Hello

from ..process.home_lock import HomeLock
from .identity import OWNER, Identity
from .key_file import KeyFile
from .local_peer import LocalPeers, Peer
from .standings import Standings

_REFUSED_AFTER_S: Final = 0.02  # longer than a look at a token takes
_WRONG: Final = "wrong or missing token; set EXAI_WS_TOKEN to the daemon's value"


@structs.define(eq=False)
class Tokens:
    """The current token, if there is one, and how JWTs are checked. Without a `home` nothing outlives this daemon."""

    _config: Config = attrs.field(repr=False)
    _home: HomeLock | None = attrs.field(default=None, repr=False)
    _now: Callable[[], float] = unix_now
    key_file: KeyFile = attrs.field(init=False, repr=False)
    _shared: SharedToken = attrs.field(init=False, repr=False)
    _verifier: JwtVerifier = attrs.field(init=False, repr=False)
    _revoked: trio.Event = attrs.field(factory=trio.Event)
    _rotating: trio.Lock = attrs.field(factory=trio.Lock)

    def __attrs_post_init__(self) -> None:
        """Raises ArgumentError for an EXAI_WS_TOKEN_FILE or JWT_KEYS_FILE that is of no use."""
        config = self._config
        file = config.ws_token_file
        named = "" if file is None else named_token(file, on_loopback=config.loopback_only)
        configured = config.own_token or named
        kept = read_rotation(rotation_file(config.state)) if configured else None
        self._shared = SharedToken(configured, kept)
        self.key_file = KeyFile.of(config)
        expected = Expected(issuer=config.jwt_issuer, audience=config.jwt_audience)
        keys = self.key_file
        self._verifier = JwtVerifier(lambda: keys.keys, _secret(config), expected, self._now)

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
        """Who shows these, as far as that can be told at once: whether a JWT was revoked is asked by `Authentication`. Raises
        UnauthorizedError."""
        shared = self.by_token(token)
        if shared is not None:
            return shared
        return Identity.of(self.claims(shown_jwt(token, jwt)))

    def by_credential(self, shown: str) -> Identity:
        """Whom this token or JWT stands for; what admits anybody does not count. Raises UnauthorizedError."""
        if self.wants_none:
            raise UnauthorizedError("no token is wanted here, so that none says who it is")
        return self.identify(shown, shown)

    def principal(self, token: str | None, jwt: str | None) -> str:
        """Whom these stand for. Raises UnauthorizedError."""
        return self.identify(token, jwt).principal

    def by_token(self, token: str | None) -> Identity | None:
        """Who shows the shared token or the home's, or may show anything."""
        if self._config.admits_anyone:
            return OWNER
        if self._shared.is_it(token):
            return Identity("token", revoked=self._revoked, role="admin")
        if self.admits_owner and self._home is not None and same(token, self._home.token):
            return Identity("anyone", revoked=self._revoked, role="admin")
        return None

    def standing(self, principal: str) -> tuple[str, Identity] | None:
        """What is another once this principal's token is (a secret), and who has shown that token; None where no token stands for it."""
        home = self._home.token if self.admits_owner and self._home is not None else ""
        mark = {"token": self._shared.mark, "anyone": home}.get(principal)
        if not mark or self.wants_none:
            return None
        return mark, Identity(principal, revoked=self._revoked, role="admin")

    def key_mark(self, claims: Claims) -> str:
        """What is another once the key that has signed these is (a secret); "" if it is none of ours any more."""
        return self._verifier.key_mark(claims)

    def claims(self, encoded: str | None) -> Claims:
        """Raises UnauthorizedError."""
        if encoded is None:
            raise UnauthorizedError(_WRONG)
        return self._verifier.claims(encoded)

    async def rotate(self, old: str, new: str, by: Identity) -> None:
        """Replace the token, also for daemons to come; who showed it before is no more let in by it, except `by`, who goes on.

        Raises UnauthorizedError, ArgumentError or OSError; then nothing has changed. Cancelled, the next daemon may know the new one.
        """
        async with self._rotating:
            keep = self._keeping(old, new)
            if not rule.is_good(new):
                raise ArgumentError(
                    f"new must have {rule.ALLOWED}",
                    details={"field": "new", "min_length": rule.LEAST, "max_length": rule.MOST},
                )
            await keep()
            self._revoke_others(by)

    def _keeping(self, old: str, new: str) -> Callable[[], Awaitable[None]]:
        """What makes `new` the token. Raises UnauthorizedError if `old` is none."""
        home = self._home
        if self._shared.is_it(old):
            return lambda: self._keep_rotation(self._shared.rotated(new))
        if self.admits_owner and home is not None and same(old, home.token):
            return lambda: home.replace_token(new)
        raise UnauthorizedError("old is not the current token")

    async def _keep_rotation(self, rotation: Rotation) -> None:
        if self._home is not None:
            await self._home.keep_rotation(rotation)
        self._shared.rotation = rotation

    def _revoke_others(self, by: Identity) -> None:
        revoked, self._revoked = self._revoked, trio.Event()
        if by.revoked is revoked:
            by.revoked = self._revoked
        revoked.set()


@structs.frozen(eq=False)
class Authentication:
    """Whom a hello speaks for, by what it shows or, where that is enough, by whose process sent it. `standings` knows tokens that were
    issued and revoked, `log` is told who came, `logins` keeps those of pages."""

    tokens: Tokens
    peers: LocalPeers = attrs.field(factory=LocalPeers)
    standings: Standings | None = None
    log: AccessLog | None = None
    logins: LoginStore | None = None

    def note_refusal(self, address: str) -> None:
        if self.log is not None:
            self.log.refuse(address)

    def note_hello(self, identity: Identity, address: str) -> None:
        """Where the daemon's own user needs no token, nothing is said of it."""
        if self.log is not None and identity is not OWNER:
            self.log.note("hello", address=address, **identity.told())

    def note_rotation(self, by: Identity, result: str) -> None:
        if self.log is not None:
            self.log.note("token rotated", result=result, **by.told())

    def note_change(self, by: Identity, event: str, **facts: str) -> None:
        """A change that somebody asked for, a login or a logout."""
        if self.log is not None:
            self.log.note(event, **{**by.told(), **facts})

    def by_credential(self, shown: str) -> Identity:
        """Whom this token or JWT stands for, by what was known of it a second ago. Raises UnauthorizedError."""
        identity = self.tokens.by_credential(shown)
        if self.standings is not None and identity.claims is not None:
            self.standings.admit_known(identity, identity.claims)
        return identity

    async def identify(self, hello: Hello, peer: Peer, address: str = "") -> Identity:
        """Raises UnauthorizedError if it may not come in, ServiceUnavailableError if that cannot be told now. Cancelling leaves a look at
        the peer to its thread, which ends by itself."""
        return await refused_alike(self._of_hello(hello, peer, address))

    async def _of_hello(self, hello: Hello, peer: Peer, address: str) -> Identity:
        try:
            return await self.recognize(hello.token, hello.jwt, address)
        except UnauthorizedError:
            if not self.tokens.admits_owner:
                raise
        if await self.peers.is_owner(peer):
            return OWNER
        raise UnauthorizedError(_WRONG)

    async def recognize(self, token: str | None, jwt: str | None, address: str = "") -> Identity:
        """Who shows these. As much is done for a JWT that is not known as for one that was revoked. Raises UnauthorizedError;
        ServiceUnavailableError if it cannot be told now. Cancelling leaves nothing behind."""
        shared = self.tokens.by_token(token)
        if shared is not None:
            return shared
        encoded = shown_jwt(token, jwt)
        if encoded is None:
            raise UnauthorizedError(_WRONG)
        claims, why = None, ""
        try:
            if names_key(encoded):
                await self.tokens.key_file.look()
            claims = self.tokens.claims(encoded)
        except UnauthorizedError as fault:
            why = fault.message  # the fault itself would hold this frame, which holds it
        if self.standings is not None:
            return await self.standings.admit(claims, address)
        if claims is None:
            raise UnauthorizedError(why)
        return Identity.of(claims)


async def refused_alike(identifying: Awaitable[Identity]) -> Identity:
    """What it gives. Its UnauthorizedError does not tell by its time what was wrong: it comes so long after the beginning. Cancelling
    cancels it."""
    began = trio.current_time()
    try:
        return await identifying
    except UnauthorizedError as fault:
        refusal = fault
    try:
        await trio.sleep_until(began + _REFUSED_AFTER_S)
        raise refusal
    finally:
        del refusal  # else it and this frame would hold each other


def shown_jwt(token: str | None, jwt: str | None) -> str | None:
    """The JWT among what was shown: it may stand in either."""
    return next((one for one in (jwt, token) if looks_like_jwt(one)), None)


def _secret(config: Config) -> JwtKey | None:
    secret, algorithm = config.jwt_secret_key, config.jwt_algorithm
    return secret_key(secret, algorithm) if secret else None
