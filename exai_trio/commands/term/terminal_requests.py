"""What `exai term` asks of the daemon, one question a connection."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import trio

from exai_trio.config import Config
from exai_trio.terminal.session_policy import SCOPE
from exai_trio.terminal.session_record import SessionRecord
from exai_trio.transport.client_auth import Credentials, credentials
from exai_trio.transport.websocket import Limits, PeerGone, Unreachable, WebSocket, connect
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import PATH, heard, said

_ANSWER_S: Final = 30.0
_OFF: Final = "404"


@asynccontextmanager
async def dialled(config: Config) -> AsyncGenerator[WebSocket]:
    """A connection to the daemon's terminals. Raises Unreachable, or TerminalError where they are switched off. It is closed when
    the context is left. Cancelling closes it too."""
    limits = Limits(max_bytes=config.ws_max_bytes, close_s=config.ws_close_timeout)
    try:
        async with connect(config.client_host, config.ws_port, limits, PATH) as socket:
            yield socket
    except Unreachable as fault:
        if _OFF in str(fault):
            raise TerminalError(
                "DISABLED",
                "terminals are switched off in the daemon; start it with EXAI_TERMINALS=true",
            ) from fault
        raise


async def shown_to(config: Config, socket: WebSocket) -> Credentials:
    """What is shown at the other end. Cancelling leaves a look at the system's tables to its thread."""
    return await trio.to_thread.run_sync(
        credentials, config, socket.ends, SCOPE, abandon_on_cancel=True
    )


async def ask(config: Config, kind: str, **fields: Any) -> dict[str, Any]:
    """The daemon's answer. Raises TerminalError, Unreachable or PeerGone. Cancelling may leave the request done."""
    answer: dict[str, Any] = {}
    refused: TerminalError | None = None
    with trio.move_on_after(_ANSWER_S) as patience:
        async with dialled(config) as socket:
            shown = await shown_to(config, socket)
            await socket.send(said(kind, token=shown.token, jwt=shown.jwt, data=fields))
            frame = await socket.receive()
            answer = heard(frame if isinstance(frame, str) else "")
    if patience.cancelled_caught:
        raise Unreachable(f"{config.ws_url} did not answer within {_ANSWER_S:g} s")
    match answer.get("op"):
        case "error":
            refused = TerminalError.of(answer)
        case "bye":
            refused = TerminalError(
                "CONNECTION_ERROR", "the daemon is closing; try again in a moment"
            )
        case _:
            return answer
    raise refused


async def sessions(config: Config) -> list[SessionRecord]:
    """Those that the daemon shows us. Raises as `ask`. Cancelling leaves nothing behind."""
    answer = await ask(config, "list")
    return msgspec.convert(answer.get("sessions", []), list[SessionRecord])


def record_in(answer: dict[str, Any]) -> SessionRecord:
    """The session that an answer is about. Raises PeerGone for what is no answer."""
    try:
        return msgspec.convert(answer.get("session"), SessionRecord)
    except msgspec.ValidationError as fault:
        raise PeerGone(reason="the daemon's answer cannot be read") from fault
