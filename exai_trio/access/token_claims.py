"""What a token says of its bearer, and the rules for it. Pure: no clock, no cryptography.

The payload was signed by a key of ours; what it says must still be complete, of the right types and for us.
"""

import json
import math
from typing import Any, Final, Literal, cast, get_args

from exai_trio import structs
from exai_trio.errors import UnauthorizedError
from exai_trio.principals import SYNONYMS

Role = Literal["viewer", "user", "admin"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
LEEWAY_S: Final = 10.0
REGISTERED: Final = "exai"  # a claim of tokens that the registry must know
_END_OF_TIME: Final = 2**53
_LONGEST_NAME: Final = 256  # characters


@structs.frozen(kw_only=True)
class Claims:
    """A token's, once they were checked. `ends` and `issued_at` are unix seconds; `scopes` is None if it names none; `token_id` is its
    jti, "" without one; `is_registered`: whoever issued it has written it down."""

    subject: str
    ends: float
    issued_at: float | None = None
    role: Role = "user"
    scopes: frozenset[str] = frozenset()
    token_id: str = ""
    key_id: str = ""
    is_registered: bool = False

    @property
    def principal(self) -> str:
        return f"jwt:{self.subject}"


@structs.frozen(kw_only=True)
class Expected:
    """Whose tokens are taken, and for whom they must be; "" for anybody's."""

    issuer: str = ""
    audience: str = ""


def json_object(text: bytes) -> dict[str, Any]:
    """A JSON object in which no name stands twice. Raises UnauthorizedError."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _refused("it is no JSON") from None
    if not isinstance(found, dict):
        raise _refused("it is no JSON object")
    return cast("dict[str, Any]", found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(_text: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


def claims_of(payload: bytes, expected: Expected, now: float, *, key_id: str = "") -> Claims:
    """What a payload says that a key of ours has signed; `key_id` names that key. Raises UnauthorizedError."""
    told = json_object(payload)
    _check_times(told, now)
    _check_addressee(told, expected)
    claims = Claims(
        subject=_name(told, "sub", required=True),
        ends=_time(told, "exp"),
        issued_at=_time(told, "iat") if "iat" in told else None,
        role=role_of(told),
        scopes=scopes_of(told),
        token_id=_name(told, "jti"),
        key_id=key_id,
        is_registered=told.get(REGISTERED) is not None,
    )
    if key_id and claims.principal in SYNONYMS:
        raise _refused("its sub is the owner's own")
    if claims.is_registered and not claims.token_id:
        raise _refused("it has no jti")
    return claims


def _check_times(told: dict[str, Any], now: float) -> None:
    if not _time(told, "exp") > now - LEEWAY_S:
        raise _refused("it has expired")
    for name in ("nbf", "iat"):
        if name in told and _time(told, name) > now + LEEWAY_S:
            raise _refused(f"its {name} is to come")


def _time(told: dict[str, Any], name: str) -> float:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(f"its {name} is no time")
    if isinstance(value, float) and not math.isfinite(value):
        raise _refused(f"its {name} is no time")
    return float(max(min(value, _END_OF_TIME), -_END_OF_TIME))


def _check_addressee(told: dict[str, Any], expected: Expected) -> None:
    if expected.issuer and told.get("iss") != expected.issuer:
        raise _refused("another has issued it")
    if "aud" not in told and not expected.audience:
        return
    audience = told.get("aud")
    named = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    if not expected.audience or expected.audience not in named:
        raise _refused("it is for somebody else")


def _name(told: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = told.get(name, None if required else "")
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise _refused(f"its {name} is no name")
    if (required or value) and not (value.strip() and value.isprintable()):
        raise _refused(f"its {name} names nobody")
    return value


def role_of(told: dict[str, Any]) -> Role:
    """The role that a token names; user without one. Raises UnauthorizedError."""
    role = told.get("role", "user")
    if not isinstance(role, str) or role not in ROLES:
        raise _refused("its role is not known here")
    return cast("Role", role)


def scopes_of(told: dict[str, Any]) -> frozenset[str]:
    """The scopes that a token names, in one text or in a list. Raises UnauthorizedError."""
    scope = told.get("scope", "")
    if isinstance(scope, str):
        return frozenset(scope.split())
    if isinstance(scope, list):
        words = cast("list[object]", scope)
        if all(isinstance(word, str) for word in words):
            return frozenset(cast("list[str]", words))
    raise _refused("its scope is no list of words")


def _refused(why: str) -> UnauthorizedError:
    return UnauthorizedError(f"the JWT is not accepted: {why}")
