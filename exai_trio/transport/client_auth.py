"""What a client shows a daemon so that it is let in: the shared token, a JWT that it signs, or the token of its home."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from exai_trio import structs
from exai_trio.config import Config, is_loopback

from .peer_identity import Ends, says_who
from .token_file import named_token, token_of_home

_SIGNED_FOR_S: Final = 3600.0  # the connection ends then, and the next one brings a new JWT


@structs.frozen(kw_only=True)
class Credentials:
    """For one hello."""

    token: str | None = None
    jwt: str | None = None


def credentials(config: Config, ends: Ends | None, scope: str = "") -> Credentials:
    """What to show at the other end of this connection; a JWT has this scope. Blocks for some milliseconds, unless a token is set.

    Raises ArgumentError for an EXAI_WS_TOKEN_FILE that is of no use.
    """
    if config.own_token:
        return Credentials(token=config.own_token)
    if config.ws_token_file is not None:
        near = is_loopback(config.client_host)
        return Credentials(token=named_token(config.ws_token_file, on_loopback=near))
    if config.jwt_secret_key:
        return Credentials(jwt=_signed(config, scope))
    if config.wants_no_token or not is_loopback(config.client_host):
        return Credentials()
    token = token_of_home(config.token_file)
    return Credentials(token=token if token and _is_of_home(config, ends) else None)


def _is_of_home(config: Config, ends: Ends | None) -> bool:
    """Whether it is a daemon of our own user that would learn the token of the home."""
    if ends is None:
        return True
    if not ends.on_loopback:
        return False
    return ends.uid() == os.geteuid() if says_who() else _home_says_so(config)


def _home_says_so(config: Config) -> bool:
    """Where the system does not say whose a socket is: whether the daemon that runs in our home has this port."""
    try:
        facts = msgspec.json.decode(
            Path(config.logs / "ws_daemon.health.json").read_bytes(), type=_Facts
        )
        os.kill(facts.pid, 0)
    except (OSError, OverflowError, msgspec.DecodeError):
        # audit: empty-handler, because False is the answer: not shown to be ours
        return False
    return facts.pid > 0 and facts.port == config.ws_port


@structs.frozen(kw_only=True)
class _Facts:
    """Of the health file."""

    pid: int
    port: int


def _signed(config: Config, scope: str) -> str:
    import jwt  # 20 ms, for those who use it

    now = datetime.now(UTC)
    claims: dict[str, object] = {
        "sub": "exai",
        "role": "admin",
        "iat": now,
        "exp": now + timedelta(seconds=_SIGNED_FOR_S),
    }
    if scope:
        claims["scope"] = scope
    if config.jwt_issuer:
        claims["iss"] = config.jwt_issuer
    if config.jwt_audience:
        claims["aud"] = config.jwt_audience
    return jwt.encode(claims, config.jwt_secret_key, algorithm=config.jwt_algorithm)
