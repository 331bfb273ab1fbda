"""The first message on a connection to the daemon, and what its answer means."""

from exai_trio import __version__
from exai_trio.config import Config
from exai_trio.errors import ArgumentError
from exai_trio.transport.client_auth import Credentials, credentials
from exai_trio.transport.websocket import PeerGone, WebSocket
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import PAYLOAD_REF, Bye, Hello, HelloAck

from .close_reasons import Departing, Refused


async def greet(
    ws: WebSocket,
    config: Config,
    session_id: str,
    roots: tuple[str, ...],
    *,
    last_seq: int,
    visit: int,
) -> HelloAck:
    """Say hello, for the `visit`th time. Returns the daemon's welcome.

    Raises Refused, Departing, or PeerGone for an answer that is none; WireError for one that is no message. Cancelling leaves a
    connection that is good for nothing.
    """
    shown = _credentials(ws, config)
    hello = Hello(
        token=shown.token,
        jwt=shown.jwt,
        session_id=session_id,
        client_name="exai-shim",
        client_version=__version__,
        protocol=2,
        last_seq=last_seq,
        roots=list(roots),
        max_frame_bytes=config.ws_max_bytes,
        accepts=[PAYLOAD_REF],
        visit=visit,
    )
    await ws.send(encode(hello))
    answer = decode_daemon(await ws.receive()).message
    if isinstance(answer, Bye):
        raise Departing(answer)
    if not isinstance(answer, HelloAck):
        raise PeerGone(reason=f"{type(answer).__name__} instead of hello_ack")
    if not answer.ok:
        raise Refused(_reason(answer))
    return answer


def _credentials(ws: WebSocket, config: Config) -> Credentials:
    try:
        return credentials(config, ws.ends)
    except ArgumentError as fault:
        raise Refused(fault.message) from fault


def _reason(refusal: HelloAck) -> str:
    said = [text for text in (refusal.error, refusal.message) if isinstance(text, str)]
    return ": ".join(said) or "no reason given"
