"""The keys that tokens are checked by: a file of JSON Web Keys (RFC 7517), each with an id and an algorithm of its own."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import msgspec

from exai_trio import structs
from exai_trio.errors import ArgumentError, UnauthorizedError
from exai_trio.system.private_files import replace_private

from .token_claims import json_object

if TYPE_CHECKING:  # 60 ms that a daemon without JWT need not spend
    from jwt import PyJWK

HMAC: Final = ("HS256", "HS384", "HS512")
_KINDS: Final = {"oct": HMAC, "RSA": ("RS256", "RS384", "RS512"), "EC": ("ES256",), "OKP": ("EdDSA",)}  # fmt: skip
LEAST_BYTES: Final = 32
_LEAST_RSA_BITS: Final = 2048
_MOST_BYTES: Final = 1_048_576
_OTHERS: Final = 0o077
_OURS: Final = "key_"
_RETIRED: Final = "exai_retired_at"  # in a key of ours: from when on no token of it is good


@structs.frozen(kw_only=True, eq=False)
class JwtKey:
    """One key. `algorithm` is its own, whatever a token says. `retired_at` is when it stops to verify, in unix seconds."""

    id: str
    algorithm: str
    parsed: "PyJWK" = attrs.field(repr=False)
    retired_at: float = float("inf")

    @property
    def mark(self) -> str:
        """What is another for another key; of a secret one it is secret, a public one is known by its id."""
        key = self.parsed.key
        return f"{self.id}:{key.hex() if isinstance(key, bytes) else ''}"

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's."""
        return self.parsed.Algorithm.verify(signed, self.parsed.key, signature)


@structs.frozen(eq=False)
class JwtKeys:
    """All keys of one file, by id; the first is the one that signs."""

    by_id: Mapping[str, JwtKey] = attrs.field(factory=dict[str, JwtKey], repr=False)

    def find(self, key_id: str, now: float) -> JwtKey | None:
        found = self.by_id.get(key_id)
        return found if found is not None and found.retired_at > now else None

    @property
    def signing(self) -> JwtKey | None:
        return next(iter(self.by_id.values()), None)


def read_keys(path: Path, name: str = "JWT_KEYS_FILE") -> JwtKeys:
    """Blocks on the disk. Raises ArgumentError, which names `name` and repeats nothing of a key."""
    try:
        return JwtKeys({key.id: key for key in map(_parsed, _entries(_content(path, name)))})
    except (OSError, UnauthorizedError, _BadKey) as fault:
        why = fault.strerror or str(fault) if isinstance(fault, OSError) else str(fault)
        text = f"{name}: {path} cannot be used: {why}"
        raise ArgumentError(text, details={"field": name}) from None


def _content(path: Path, name: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _BadKey("it is no regular file")
        if status.st_mode & _OTHERS:
            text = f"{name}: others may read {path}, and could issue tokens: chmod 600 {path}"
            raise ArgumentError(text, details={"field": name})
        return file.read(_MOST_BYTES)


class _BadKey(Exception):
    """Why a file of keys is of no use."""


def _entries(text: bytes) -> list[dict[str, Any]]:
    keys = json_object(text).get("keys")
    if not isinstance(keys, list) or not keys:
        raise _BadKey('it must be a JSON object with a list "keys" (RFC 7517)')
    found: list[dict[str, Any]] = []
    for number, key in enumerate(cast("list[object]", keys), 1):
        if not isinstance(key, dict):
            raise _BadKey(f"key {number} is no object")
        found.append(cast("dict[str, Any]", key))
    names = [key.get("kid") for key in found]
    if not all(isinstance(name, str) and name for name in names):
        raise _BadKey("each key needs a kid")
    if len(set(names)) < len(names):
        raise _BadKey("two keys have the same kid")
    return found


def _parsed(entry: dict[str, Any]) -> JwtKey:
    import jwt

    name, algorithm, kind = entry["kid"], entry.get("alg"), entry.get("kty")
    allowed = _KINDS.get(kind, ()) if isinstance(kind, str) else ()
    if algorithm not in allowed:
        told = f"one of {', '.join(allowed)}" if allowed else "a kty of oct, RSA, EC or OKP"
        raise _BadKey(f"key {name!r} needs {told} as its alg")
    try:
        parsed = jwt.PyJWK(_public_part(entry), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise _BadKey(f"key {name!r} is no key") from None
    _check_strength(name, parsed)
    retired = entry.get(_RETIRED)
    retired_at = float(retired) if isinstance(retired, int | float) else float("inf")
    return JwtKey(id=name, algorithm=str(algorithm), parsed=parsed, retired_at=retired_at)


def _public_part(entry: dict[str, Any]) -> dict[str, Any]:
    """What verifies needs no secret; an oct key is one."""
    private = {"d", "p", "q", "dp", "dq", "qi", "oth"}
    return {name: value for name, value in entry.items() if name not in private}


def _check_strength(name: str, parsed: "PyJWK") -> None:
    key = parsed.key
    if isinstance(key, bytes) and len(key) < LEAST_BYTES:
        raise _BadKey(f"key {name!r} has fewer than {LEAST_BYTES} bytes")
    bits = getattr(key, "key_size", None)
    if parsed.key_type == "RSA" and isinstance(bits, int) and bits < _LEAST_RSA_BITS:
        raise _BadKey(f"key {name!r} has fewer than {_LEAST_RSA_BITS} bits")


def secret_key(secret: str, algorithm: str) -> JwtKey:
    """JWT_SECRET_KEY as a key without an id."""
    import base64

    import jwt

    encoded = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    parsed = jwt.PyJWK({"kty": "oct", "k": encoded}, algorithm)
    return JwtKey(id="", algorithm=algorithm, parsed=parsed)


@structs.frozen(kw_only=True)
class Signer:
    """A key that signs; "" is the id of the one that has none."""

    id: str
    algorithm: str
    key: Any = attrs.field(repr=False)


def secret_signer(secret: str, algorithm: str) -> Signer:
    return Signer(id="", algorithm=algorithm, key=secret)


def signer_of(path: Path) -> Signer:
    """The first key of the file that is no public one. Blocks on the disk. Raises ArgumentError, OSError."""
    import jwt

    read_keys(path, str(path))
    for entry in _entries(_content(path, str(path))):
        if ("k" in entry or "d" in entry) and _RETIRED not in entry:
            key = jwt.PyJWK(entry, entry["alg"]).key
            return Signer(id=entry["kid"], algorithm=entry["alg"], key=key)
    text = f"{path} has public keys alone: whoever has the private ones issues tokens"
    raise ArgumentError(text, details={"field": "JWT_KEYS_FILE"})


def add_key(path: Path, now: float, retire: Mapping[str, float] | None = None) -> str:
    """Put a new HMAC key first in this file, which is made if it is not there, and have the others verify until the times of `retire`;
    those whose time is over are gone. Returns its id. Blocks on the disk. Raises ArgumentError, OSError."""
    import secrets

    try:
        entries = _entries(_content(path, str(path))) if path.exists() else []
    except (_BadKey, UnauthorizedError) as fault:
        raise ArgumentError(f"{path} cannot be used: {fault}", details={"field": "kid"}) from None
    name = f"{_OURS}{now:.0f}_{secrets.token_hex(4)}"
    fresh = {"kty": "oct", "alg": "HS256", "kid": name, "k": secrets.token_urlsafe(LEAST_BYTES)}
    kept = list(_retired(entries, now, retire or {}))
    replace_private(path, msgspec.json.encode({"keys": [fresh, *kept]}) + b"\n")
    return name


def _retired(
    entries: Iterable[dict[str, Any]], now: float, retire: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    """Keys of ours stop with their last token; others, whose tokens nobody has written down, stay."""
    for entry in entries:
        is_ours = entry["kid"].startswith(_OURS)
        at = retire.get(entry["kid"], now if is_ours else float("inf"))
        if at > now:
            yield entry if at == float("inf") else entry | {_RETIRED: at}
