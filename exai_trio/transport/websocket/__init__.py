"""WebSocket connections: what the rest of EXAI uses of them."""

from .connection_errors import NotListening, PeerGone, Unreachable
from .connection_limits import Limits
from .endpoints import (
    GOING_AWAY,
    INTERNAL,
    POLICY,
    SERVICE_RESTART,
    TRY_AGAIN_LATER,
    WebSocket,
    accept,
    client_on,
    connect,
)
from .frame_stream import NORMAL, TOO_LARGE
from .upgrade_request import Handshake

__all__ = [
    "GOING_AWAY",
    "INTERNAL",
    "NORMAL",
    "POLICY",
    "SERVICE_RESTART",
    "TOO_LARGE",
    "TRY_AGAIN_LATER",
    "Handshake",
    "Limits",
    "NotListening",
    "PeerGone",
    "Unreachable",
    "WebSocket",
    "accept",
    "client_on",
    "connect",
]
