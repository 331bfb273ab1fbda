"""The routes by which a page logs in and out: a token or a code for a session token, and a token for a code."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from exai_trio import structs
from exai_trio.errors import UnauthorizedError
from exai_trio.observability.times import rfc3339

from ...connections.auth import Authentication
from ...connections.identity import OWNER, Identity
from ...connections.local_peer import Peer
from ..gate import Gate, address_of, is_near
from ..page_viewer import viewer_of
from ..route_table import Asked, Route

_WRONG = "this token is not the daemon's; `exai dashboard` opens the page with a code"
_NOBODY = "show the home's token or a JWT as Authorization: Bearer"


@structs.frozen(eq=False)
class _Logins:
    gate: Gate
    auth: Authentication


def login_routes(
    gate: Gate, auth: Authentication, others: Iterable[Route] = ()
) -> tuple[Route, ...]:
    """`others` are what a page may find beside these."""
    logins, paths = _Logins(gate, auth), sorted({route.path for route in others})
    return (
        Route("/api/login", "open", partial(_login, logins), "POST"),
        Route("/api/login/code", "open", partial(_code, logins), "POST"),
        Route("/api/logout", "open", partial(_logout, logins), "POST"),
        Route("/api/me", "open", partial(_me, paths)),
    )


async def _login(logins: _Logins, asked: Asked) -> dict[str, Any]:
    """A session for a code or a token. Raises ExaiError."""
    try:
        identity = _shown(logins.gate, asked)
    except UnauthorizedError:
        logins.auth.note_refusal(address_of(asked.raw))
        raise
    _note(logins, asked, "login", identity)
    session, ends = await logins.gate.logins.open(identity)
    who = viewer_of(identity.principal, identity.role)
    return {
        "session": session,
        "expires": rfc3339(ends),
        "principal": who.principal,
        "role": who.role,
    }


def _shown(gate: Gate, asked: Asked) -> Identity:
    if "code" in asked.body:
        return gate.logins.redeem(asked.text("code"))
    identity = gate.identify(asked.text("token", 8192))
    if identity is None:
        raise UnauthorizedError(_WRONG)
    return identity


async def _code(logins: _Logins, asked: Asked) -> dict[str, Any]:
    """A code for whoever shows a credential, or is the daemon's own user where none is wanted. Raises UnauthorizedError."""
    identity = logins.gate.identify(asked.token) or await _own_user(logins.auth, asked)
    if identity is None:
        raise UnauthorizedError(_NOBODY)
    _note(logins, asked, "login code", identity)
    code, ends = logins.gate.logins.code_for(identity)
    return {"code": code, "expires": rfc3339(ends)}


async def _own_user(auth: Authentication, asked: Asked) -> Identity | None:
    """Where no token is wanted, nothing but the system says who somebody is."""
    stream = asked.raw.get("state", {}).get("transport")
    if not auth.tokens.wants_none or stream is None or not is_near(dict(asked.raw)):
        return None
    return OWNER if await auth.peers.is_owner(Peer(stream)) else None


async def _logout(logins: _Logins, asked: Asked) -> dict[str, Any]:
    """Raises StorageError."""
    _note(logins, asked, "logout", logins.gate.logins.identity_of(asked.token))
    await logins.gate.logins.close(asked.token)
    return {"ok": True}


def _note(logins: _Logins, asked: Asked, event: str, by: Identity | None) -> None:
    if by is not None:
        logins.auth.note_change(by, event, address=address_of(asked.raw), result="done")


async def _me(paths: list[str], asked: Asked) -> dict[str, Any]:
    """Whom the page speaks for and what there is, so that it asks for nothing that it may not see or that is not there."""
    by = asked.by
    return {
        "principal": by.principal or None,
        "role": by.role or None,
        "may": [
            gives for gives in ("figures", "texts", "changes", "administration") if by.may(gives)
        ],
        "has": paths,
    }
