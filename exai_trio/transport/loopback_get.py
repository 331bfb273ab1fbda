"""One GET to a server of this machine, for its status and body.

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
    """The answer to one GET."""

    status: int
    body: bytes


async def get(host: str, port: int, path: str, *, key: str = "") -> Got:
    """The answer, whatever its status; `key` goes along as a bearer token.

    Raises OSError where nobody listens, NoHttp for what is no answer. How long it may take is its caller's affair; cancelling
    closes the connection.
    """
    async with _connected(host, port) as stream:
        try:
            return await _exchange(stream, _request(host, port, path, key))
        except (h11.RemoteProtocolError, trio.BrokenResourceError) as fault:
            raise NoHttp(str(fault)) from fault


@asynccontextmanager
async def _connected(host: str, port: int) -> AsyncGenerator[trio.SocketStream]:
    stream = await trio.open_tcp_stream(host, port)
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


def _request(host: str, port: int, path: str, key: str) -> h11.Request:
    headers = [
        ("Host", f"{bracketed(host)}:{port}"),
        ("Accept", "application/json"),
        ("Connection", "close"),
        *([("Authorization", f"Bearer {key}")] if key else []),
    ]
    return h11.Request(method="GET", target=path, headers=headers)


async def _exchange(stream: trio.SocketStream, request: h11.Request) -> Got:
    talk = h11.Connection(h11.CLIENT)
    await stream.send_all(talk.send(request) + talk.send(h11.EndOfMessage()))
    status, body = 0, bytearray()
    while True:  # noqa: ASYNC913 - reads, or has what ends it
        event = talk.next_event()
        if event is h11.NEED_DATA:
            talk.receive_data(await stream.receive_some(_PIECE))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MOST_BYTES:
                raise NoHttp("the answer does not end")
        elif not isinstance(event, h11.InformationalResponse):
            return Got(status=status, body=bytes(body))
