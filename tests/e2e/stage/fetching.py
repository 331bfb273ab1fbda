"""HTTP as a browser without patience speaks it: one GET on a connection of its own."""

import json
from typing import Any

import attrs
import trio


@attrs.frozen
class Answered:
    """What an HTTP server said."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def fetch(
    port: int, path: str, *, host: str = "127.0.0.1", headers: tuple[str, ...] = ()
) -> Answered:
    """One GET on a connection of its own; `host` is what the Host header says."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all("\r\n".join(lines).encode())
        said = b"".join([data async for data in stream])
    head, _, body = said.partition(b"\r\n\r\n")
    return Answered(int(head.split()[1]), body)
