"""Tokens are issued: signed by the first key of the file, and written down by their id before anybody has them."""

import secrets
from pathlib import Path
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.principals import SYNONYMS

from .jwt_keys import add_key, secret_signer, signer_of
from .token_claims import LEEWAY_S, REGISTERED, Expected
from .token_registry import IssuedToken, TokenRegistry

DAY_S: Final = 86400.0
_MOST_NAME: Final = 64  # characters


@structs.frozen(kw_only=True)
class Issuer:
    """Where keys are: in a file, which is made if there is none, unless JWT_SECRET_KEY is all that there is."""

    keys_file: Path
    secret: str = attrs.field(default="", repr=False)
    algorithm: str = "HS256"
    names: Expected = Expected()

    def sign(self, wanted: IssuedToken) -> tuple[IssuedToken, str]:
        """The entry and the token. Blocks on the disk. Raises ArgumentError, OSError."""
        import jwt

        if self.keys_file.exists() or not self.secret:
            if not self.keys_file.exists():
                add_key(self.keys_file, wanted.issued_at)
            signer = signer_of(self.keys_file)
        else:
            signer = secret_signer(self.secret, self.algorithm)
        entry = attrs.evolve(wanted, key_id=signer.id)
        head = {"kid": signer.id} if signer.id else None
        token = jwt.encode(
            self._claims(entry), signer.key, algorithm=signer.algorithm, headers=head
        )
        return entry, token

    def _claims(self, entry: IssuedToken) -> dict[str, object]:
        claims: dict[str, object] = {
            "sub": entry.subject,
            "iat": int(entry.issued_at),
            "exp": int(entry.ends),
            "jti": entry.id,
            "role": entry.role,
            REGISTERED: 1,
        }
        named = {"scope": entry.scope, "iss": self.names.issuer, "aud": self.names.audience}
        return claims | {name: value for name, value in named.items() if value}


def new_id() -> str:
    return f"tok_{secrets.token_hex(8)}"


def check_name(name: str) -> None:
    """Raises ArgumentError for a name that no token may have."""
    fits = 0 < len(name) <= _MOST_NAME and name.isprintable() and name.strip() == name
    if not fits or f"jwt:{name}" in SYNONYMS:
        raise ArgumentError(
            f"{name!r} cannot be a name: 1 to {_MOST_NAME} printable characters, and not exai",
            details={"field": "NAME"},
        )


async def retirements(registry: TokenRegistry, now: float) -> dict[str, float]:
    """Until when each key that signed is needed: until its last token ends that was not revoked. Raises StorageError. Cancelling leaves
    nothing behind."""
    until: dict[str, float] = {}
    for token in await registry.all():
        ends = now if token.revoked_at is not None else token.ends + LEEWAY_S
        until[token.key_id] = max(until.get(token.key_id, now), ends)
    return until
