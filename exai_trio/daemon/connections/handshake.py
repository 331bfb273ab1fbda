"""From an open WebSocket to a client that may talk: the hello, and every way to refuse it."""

import math

import trio
from msgspec import UNSET

from exai_trio import structs
from exai_trio.config import MIB, Config
from exai_trio.errors import ServiceUnavailableError, UnauthorizedError
from exai_trio.transport.websocket import SERVICE_RESTART, WebSocket
from exai_trio.wire.codec import WireError, decode_client, encode
from exai_trio.wire.messages import Bye, Hello, HelloAck, ServerFacts
from exai_trio.wire.payload_frames import INLINE_BYTES

from ..calls.limits import longest_stream
from .auth import Authentication
from .identity import Identity
from .local_peer import Peer

TRY_AGAIN_LATER = 1013
BAD_HELLO, MISSING_HELLO, NO_HELLO, UNAUTHORIZED = 4000, 4001, 4002, 4003
PROTOCOL = 2
LONGEST_TOKEN = 8192  # characters
LEAST_WAIT_S = 0.1


@structs.define(eq=False)
class HelloRefused(Exception):
    """The connection closes with `code`; if `error` is set, after a hello_ack that says it. After `retry_after_s` it is worth another
    try."""

    code: int
    error: str
    message: str | None = None
    retry_after_s: float | None = None


async def receive_hello(
    socket: WebSocket, within_s: float, auth: Authentication, peer: Peer, address: str = ""
) -> tuple[Hello, Identity]:
    """The client's hello and whom it speaks for. Raises HelloRefused or PeerGone. Cancelling leaves the socket open."""
    with trio.move_on_after(within_s):
        hello = _read(await socket.receive())
        return hello, await _identify(hello, auth, peer, address)
    raise HelloRefused(NO_HELLO, "hello timeout")


def _read(frame: str | bytes) -> Hello:
    try:
        hello = decode_client(frame)
    except WireError as fault:
        code, error = (
            (BAD_HELLO, "invalid_hello") if _is_hello(fault) else (MISSING_HELLO, "missing_hello")
        )
        raise HelloRefused(code, error) from fault
    if not isinstance(hello, Hello):
        raise HelloRefused(MISSING_HELLO, "missing_hello")
    return hello


async def _identify(hello: Hello, auth: Authentication, peer: Peer, address: str) -> Identity:
    if max(len(hello.token or ""), len(hello.jwt or "")) > LONGEST_TOKEN:
        raise HelloRefused(UNAUTHORIZED, "unauthorized")
    try:
        return await auth.identify(hello, peer, address)
    except UnauthorizedError as fault:
        raise HelloRefused(UNAUTHORIZED, "unauthorized", auth.tokens.advice) from fault
    except ServiceUnavailableError as fault:
        raise HelloRefused(
            TRY_AGAIN_LATER, "service_unavailable", fault.message, fault.retry_after_s
        ) from fault


def _is_hello(fault: WireError) -> bool:
    return fault.garbled or fault.op is None or fault.op == "hello"


def rated(refusal: HelloRefused, wait_s: float) -> HelloRefused:
    """The same for everybody who has been refused too often, whatever was wrong."""
    if not wait_s or refusal.code != UNAUTHORIZED:
        return refusal
    again = max(LEAST_WAIT_S, math.ceil(wait_s * 10) / 10)
    return HelloRefused(TRY_AGAIN_LATER, "too_many_refusals", refusal.message, again)


async def refuse(socket: WebSocket, refusal: HelloRefused, within_s: float | None = None) -> None:
    """Say why and close, as `WebSocket.close` does. Never raises but Cancelled."""
    why = "" if refusal.code == NO_HELLO else encode(_told(refusal))
    await socket.close(refusal.code, refusal.error, last=why, within_s=within_s)


def _told(refusal: HelloRefused) -> HelloAck:
    message = UNSET if refusal.message is None else refusal.message
    again = UNSET if refusal.retry_after_s is None else refusal.retry_after_s
    return HelloAck(ok=False, error=refusal.error, message=message, retry_after_s=again)


async def refuse_for_now(socket: WebSocket, why: str, retry_after_s: float) -> None:
    """Tell a client that it is to come back, and close. Raises PeerGone. Cancelling leaves the socket open."""
    await socket.send(encode(Bye(reason=why, retry_after_s=retry_after_s)))
    await socket.close(SERVICE_RESTART, why)


def hello_ack(
    config: Config, server: ServerFacts, session_id: str, protocol: int, *, resumed: bool
) -> str:
    """The answer to a hello of this protocol, as it is sent."""
    return encode(
        HelloAck(
            ok=True,
            session_id=session_id,
            protocol=min(max(protocol, 1), PROTOCOL),
            resumed=resumed,
            server=server,
            limits=limits(config),
        )
    )


def limits(config: Config) -> dict[str, float]:
    """What a client must keep to; sizes in bytes, times in seconds."""
    simple, workflow = config.simple_tool_timeout_secs, config.workflow_tool_timeout_secs
    return _of_payloads(config) | {
        "max_frame_bytes": config.ws_max_bytes,
        "max_message_bytes": config.tool_call_max_size,
        "session_max_inflight": config.ws_session_max_inflight,
        "global_max_inflight": config.ws_global_max_inflight,
        "ping_interval_s": config.ws_ping_interval,
        "ping_timeout_s": config.ws_ping_timeout,
        "session_grace_s": config.session_grace_s,
        "call_timeout_s": max(simple, workflow),
        "simple_call_timeout_s": simple,
        "workflow_call_timeout_s": workflow,
        "stream_timeout_s": longest_stream(config),
        "progress_interval_s": config.progress_interval_s,
    }


def _of_payloads(config: Config) -> dict[str, float]:
    """From where on a result goes by reference, and how large one may be."""
    if not config.message_bus_enabled:
        return {}
    most = config.message_bus_max_payload_mb * MIB
    return {"payload_inline": INLINE_BYTES, "payload_max": most}
