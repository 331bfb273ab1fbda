"""The ids of HTTP sessions: signed, so that a daemon knows those that an earlier one gave, and whose they are.

Nothing is stored for a session in which nothing runs.
"""

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.system.private_files import replace_private

_KEY_FILE: Final = "http_session_key"
KEY_BYTES: Final = 32
_PREFIX: Final = "http_"
_LENGTH: Final = len(_PREFIX) + 24 + 1 + 32


@structs.frozen
class SessionIds:
    """Makes and knows ids. `key` is the home's."""

    key: bytes = attrs.field(repr=False)

    def new(self, principal: str) -> str:
        name = secrets.token_hex(12)
        return f"{_PREFIX}{name}_{self._sign(name, principal)}"

    def is_ours(self, given: str, principal: str) -> bool:
        """Whether a daemon of this home has given it to this principal."""
        if len(given) != _LENGTH or not given.isascii():
            return False
        name, _, signature = given.removeprefix(_PREFIX).partition("_")
        return hmac.compare_digest(signature, self._sign(name, principal))

    def _sign(self, name: str, principal: str) -> str:
        told = f"{name}\0{principal}".encode(errors="surrogatepass")
        return hmac.new(self.key, told, hashlib.sha256).hexdigest()[:32]


def shared_key(secret: str) -> bytes:
    """The key of all daemons that have this secret: each knows the sessions of the others."""
    return hmac.new(secret.encode(), b"exai http sessions", hashlib.sha256).digest()


def kept_key(state: Path) -> bytes:
    """The key of the home, made if it has none. Raises OSError."""
    path = state / _KEY_FILE
    if path.is_file() and len(held := path.read_bytes()) == KEY_BYTES:
        return held
    made = secrets.token_bytes(KEY_BYTES)
    replace_private(path, made)
    return made
