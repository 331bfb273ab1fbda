"""One GET or POST to a server, for its status and body.

There is no proxy and no cookie, no redirect is followed, and nothing is kept open.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import h11
import trio

from exai_trio import structs
from exai_trio.config import bracketed

MOST_BYTES: Final = 16 * 2**20  # of a body; the list of ten thousand models has some three
_PIECE: Final = 65_536


class NoHttp(Exception):
    """Whoever listens there does not answer as an HTTP server does, or does not end its answer."""


@structs.frozen(kw_only=True)
class Got:
    """The answer to one request."""

    status: int
    body: bytes


async def get(host: str, port: int, path: str, *, key: str = "") -> Got:
    """The answer, whatever its status; `key` goes along as a bearer token.

    Raises OSError where nobody listens, NoHttp for what is no answer. How long it may take is its caller's affair; cancelling
    closes the connection.
    """
    return await _asked(host, port, _request(host, port, path, key), b"")


async def post(host: str, port: int, path: str, body: bytes, *, key: str = "") -> Got:
    """The same for JSON that is sent along. Cancelling leaves open whether it was heard."""
    return await _asked(host, port, _request(host, port, path, key, body), body)


async def _asked(host: str, port: int, request: h11.Request, body: bytes) -> Got:
    async with _connected(host, port) as stream:
        try:
            return await _exchange(stream, request, body)
        except (h11.RemoteProtocolError, trio.BrokenResourceError) as fault:
            raise NoHttp(str(fault)) from fault


@asynccontextmanager
async def _connected(host: str, port: int) -> AsyncGenerator[trio.SocketStream]:
    stream = await trio.open_tcp_stream(host, port)
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


def _request(host: str, port: int, path: str, key: str, body: bytes | None = None) -> h11.Request:
    headers = [
        ("Host", f"{bracketed(host)}:{port}"),
        ("Accept", "application/json"),
        ("Connection", "close"),
        *([("Authorization", f"Bearer {key}")] if key else []),
    ]
    if body is None:
        return h11.Request(method="GET", target=path, headers=headers)
    headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return h11.Request(method="POST", target=path, headers=headers)


async def _exchange(stream: trio.SocketStream, request: h11.Request, body: bytes) -> Got:
    talk = h11.Connection(h11.CLIENT)
    sent = (request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage())
    await stream.send_all(b"".join(talk.send(part) or b"" for part in sent))
    status, received = 0, bytearray()
    while True:  # noqa: ASYNC913 - reads, or has what ends it
        event = talk.next_event()
        if event is h11.NEED_DATA:
            talk.receive_data(await stream.receive_some(_PIECE))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            received += event.data
            if len(received) > MOST_BYTES:
                raise NoHttp("the answer does not end")
        elif not isinstance(event, h11.InformationalResponse):
            return Got(status=status, body=bytes(received))
