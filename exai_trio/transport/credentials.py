"""What a client shows a daemon that admits nobody else: the shared token, or a JWT of its own signing."""

from datetime import UTC, datetime, timedelta
from typing import Final

from exai_trio.config import Config

_TOKEN_S: Final = 300.0


def signed(config: Config) -> str | None:
    """A JWT for a greeting in the next minutes. None where the shared token says enough, or there is no secret to sign with."""
    if config.ws_token or not config.jwt_secret_key:
        return None
    import jwt  # noqa: PLC0415  # 20 ms, for those who use it

    now = datetime.now(UTC)
    claims: dict[str, object] = {
        "sub": "exai",
        "iat": now,
        "exp": now + timedelta(seconds=_TOKEN_S),
    }
    if config.jwt_issuer:
        claims["iss"] = config.jwt_issuer
    if config.jwt_audience:
        claims["aud"] = config.jwt_audience
    return jwt.encode(claims, config.jwt_secret_key, algorithm=config.jwt_algorithm)
