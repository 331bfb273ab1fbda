"""Where the lines for one client go: all that MCP knows of stdio, sockets or HTTP. Pure: no trio, no clock, no I/O."""

from typing import Protocol

from .jsonrpc import Id


class Sink(Protocol):
    """One client's way out, in the order of the calls."""

    def put(self, line: bytes, request: Id | None = None, *, progress: bool = False) -> None:
        """Send a line, without waiting for it. `request` is what it is about: its one answer, or with `progress` a word of how far
        it is, which may be dropped, and must not follow the answer. No line at all: the request has ended without an answer."""
        ...
