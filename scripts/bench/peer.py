"""A client of the daemon's WebSocket, as plain as it can be. Nothing of exai_trio is used here: it is what is measured."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, open_websocket

from .processes import PATIENCE_S, NotMeasured

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class Said(msgspec.Struct):
    """What of a frame matters here."""

    op: str = ""
    request_id: str = ""
    ok: bool = False
    seq: int = 0
    error: msgspec.Raw = msgspec.Raw()


_said = msgspec.json.Decoder(Said)


@asynccontextmanager
async def connection(port: int) -> AsyncGenerator[WebSocketConnection]:
    """An open WebSocket to this port. Raises NotMeasured if there is none within our patience."""
    with trio.move_on_after(PATIENCE_S) as patience:
        try:
            async with open_websocket(
                "127.0.0.1", port, "/", use_ssl=False, receive_buffer_size=65_536
            ) as socket:
                patience.deadline = float("inf")
                yield socket
        except (ConnectionClosed, HandshakeError, OSError) as fault:
            raise NotMeasured(f"the daemon's connection ended: {fault!r}") from fault
    if patience.cancelled_caught:
        raise NotMeasured("the daemon takes no connection")


async def say(socket: WebSocketConnection, op: str, **fields: Any) -> None:
    await socket.send_message(_encode({"op": op, **fields}).decode())


async def hear(socket: WebSocketConnection) -> Said:
    with trio.move_on_after(PATIENCE_S):
        return _said.decode(await socket.get_message())
    raise NotMeasured("the daemon is silent")


async def greet(socket: WebSocketConnection, **hello: Any) -> None:
    """A protocol-2 session of our own; `hello` adds to what is said. Raises NotMeasured if the daemon does not want it."""
    await say(socket, "hello", protocol=2, client_name="bench", **hello)
    answer = await hear(socket)
    if not answer.ok:
        raise NotMeasured(f"the daemon refuses the hello: {answer}")


def run(measure: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """trio.run, with what went wrong raised as itself. Raises NotMeasured or KeyboardInterrupt."""
    fault: BaseException
    try:
        return trio.run(measure, *arguments)
    except* NotMeasured as group:
        fault = _first(group)
    except* trio.TooSlowError:
        fault = NotMeasured("it took too long")
    except* KeyboardInterrupt:
        fault = KeyboardInterrupt()
    raise fault


def _first(group: BaseExceptionGroup[NotMeasured]) -> NotMeasured:
    inner = group.exceptions[0]
    return inner if isinstance(inner, NotMeasured) else _first(inner)
