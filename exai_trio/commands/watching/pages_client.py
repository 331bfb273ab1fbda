"""How commands ask the port of the pages: with the credential that a client of this home has."""

from typing import Any, Final

import msgspec
import trio

from exai_trio.config import Config
from exai_trio.errors import ExaiError, ServiceUnavailableError, UnauthorizedError
from exai_trio.transport.client_auth import credentials
from exai_trio.transport.loopback_get import Got, NoHttp, get, post
from exai_trio.transport.websocket import NotListening

_PATIENCE_S: Final = 10.0
_OK, _UNAUTHORIZED = 200, 401


def check_pages(config: Config) -> None:
    """Raises ServiceUnavailableError where there are none."""
    if not config.monitoring_port:
        raise ServiceUnavailableError("the pages are off: MONITORING_PORT is 0")


async def shown_by(config: Config) -> str:
    """The token or JWT that this client has; "" for none. Raises ArgumentError. Cancelling changes nothing."""
    shown = await trio.to_thread.run_sync(credentials, config, None)
    return shown.token or shown.jwt or ""


async def asked_of_pages(
    config: Config, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What the daemon answers there. Raises NotListening or ExaiError. Cancelling closes the connection."""
    check_pages(config)
    host, port, key = config.client_host, config.monitoring_port, await shown_by(config)
    got: Got | None = None
    try:
        with trio.move_on_after(_PATIENCE_S):
            if body is None:
                got = await get(host, port, path, key=key)
            else:
                got = await post(host, port, path, msgspec.json.encode(body), key=key)
    except (OSError, NoHttp) as fault:
        raise NotListening(f"no pages at http://{host}:{port}: {fault}") from fault
    if got is None:
        raise ServiceUnavailableError(f"the daemon did not answer within {_PATIENCE_S:g} s")
    return _told(got)


def _told(got: Got) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(got.body, type=dict[str, Any])
    except msgspec.DecodeError:
        raise ServiceUnavailableError(
            "who answers there is not EXAI; see MONITORING_PORT"
        ) from None
    if got.status == _OK:
        return told
    text = str(told.get("error", {}).get("message", f"status {got.status}"))
    kind: type[ExaiError] = (
        UnauthorizedError if got.status == _UNAUTHORIZED else ServiceUnavailableError
    )
    raise kind(text)
