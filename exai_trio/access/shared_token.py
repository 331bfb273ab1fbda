"""The token that all share: the configured one or, once it was rotated, one of which only a hash is kept.

The file in `state/` says which values were replaced; of a user's own token nothing else is written down. The configured one is
refused if it was replaced; one that the file has never heard of wins, and the file counts no more.
"""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.errors import ArgumentError

LONGEST: Final = 8192  # characters of a token that are looked at
_MOST_REPLACED: Final = 100
_FILE: Final = "rotated_token.json"


@structs.frozen(kw_only=True)
class Rotation:
    """What the file says: hashes, in hexadecimal, with this salt."""

    salt: str
    current: str
    replaced: tuple[str, ...]

    def of(self, token: str) -> str:
        return sha256(f"{self.salt}{token}".encode(errors="surrogatepass")).hexdigest()


def rotation_file(state: Path) -> Path:
    return state / _FILE


def read_rotation(path: Path) -> Rotation | None:
    """None if there never was one. Blocks on the disk. Raises ArgumentError: what cannot be read may have replaced the token."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Rotation) if path.exists() else None
    except (OSError, msgspec.DecodeError) as fault:
        text = f"{path} cannot be read ({fault}), so it is not known which token was replaced; set a new EXAI_WS_TOKEN and remove it"
        raise ArgumentError(text, details={"field": "EXAI_WS_TOKEN"}) from None


@structs.define(eq=False)
class SharedToken:
    """`configured` is what the user has set, "" for nothing; `rotation` is what was kept of earlier rotations."""

    configured: str = attrs.field(repr=False)
    rotation: Rotation | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        known = self.rotation
        if known is not None and known.of(self.configured) not in {*known.replaced, known.current}:
            self.rotation = None

    def is_it(self, given: str | None) -> bool:
        """In constant time."""
        if not given or not self.configured or len(given) > LONGEST:
            return False
        if self.rotation is None:
            return same(given, self.configured)
        return hmac.compare_digest(self.rotation.of(given), self.rotation.current)

    @property
    def mark(self) -> str:
        """What is another once the token is; a secret. "" where there is none."""
        return f"{self.rotation.salt}:{self.rotation.current}" if self.rotation else self.configured

    def rotated(self, new: str) -> Rotation:
        """What is to be kept once `new` has taken its place."""
        before = self.rotation
        if before is None:
            blank = Rotation(salt=secrets.token_hex(16), current="", replaced=())
            replaced: tuple[str, ...] = (blank.of(self.configured),)
        else:
            blank, replaced = before, (*before.replaced, before.current)
        current = blank.of(new)
        kept = tuple(one for one in replaced if one != current)[-_MOST_REPLACED:]
        return attrs.evolve(blank, current=current, replaced=kept)


def same(given: str | None, expected: str) -> bool:
    """Whether both are the same token, of which there is one. In constant time."""
    if not given or not expected or len(given) > LONGEST:
        return False
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())
