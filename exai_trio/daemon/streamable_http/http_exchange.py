"""What is said to one POST: the answer to its request, and what comes before it. Pure but for the wait."""

from typing import Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.mcp.jsonrpc import Id
from exai_trio.system.change import Change

_MOST_LINES: Final = 1_000  # progress of a call that takes hours


class _Error(msgspec.Struct):
    code: int = 0


class _Answer(msgspec.Struct):
    error: _Error | None = None


_answers = msgspec.json.Decoder(_Answer)


@structs.define(eq=False)
class Exchange:
    """`id` is the JSON-RPC id of the request, None for a stream of the server's own messages. `key` and `tool` are of the call that it
    became, "" if it is none. `base` is the number of the last event that an earlier daemon has told.

    One reader at a time: a newer one sends the older away.
    """

    id: Id | None
    key: str = ""
    tool: str = ""
    base: int = 0
    lines: list[bytes] = attrs.field(factory=list[bytes])
    is_over: bool = False
    was_closed: bool = False
    ended_at: float = 0.0
    readers: int = 0
    changed: Change = attrs.field(factory=Change)
    reader: object = None

    def __repr__(self) -> str:
        state = "over" if self.is_over else "open"
        return f"<Exchange {self.id!r} {state} lines={len(self.lines)} readers={self.readers}>"

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self.base + len(self.lines)

    @property
    def is_silent(self) -> bool:
        return not self.lines

    def is_last(self, number: int) -> bool:
        """Whether nothing follows this event, here or elsewhere."""
        return self.is_over and not self.was_closed and number == self.last

    def put(self, line: bytes) -> None:
        """An event that is not the answer."""
        if not self.is_over and len(self.lines) < _MOST_LINES:
            self.lines.append(line)
            self.changed.tell()

    def end(self, line: bytes, now: float) -> None:
        """The answer; without a line, the request has ended without one."""
        if self.is_over:
            return
        if line:
            self.lines.append(line)
        self.is_over, self.ended_at = True, now
        self.changed.tell()

    async def wait_said(self) -> None:
        """Return when there is something to tell. Cancelling changes nothing."""
        while not self.is_over and self.is_silent:
            await self.changed.wait()

    def close(self, now: float) -> None:
        """Nothing more is said here; who reads may come again elsewhere."""
        self.was_closed = not self.is_over
        self.end(b"", now)

    def after(self, number: int) -> list[tuple[int, bytes]]:
        """The events that follow this number, with their own."""
        begin = max(0, number - self.base)
        return [(self.base + begin + i + 1, line) for i, line in enumerate(self.lines[begin:])]

    def error_code(self) -> int:
        """The code of the answer, if it is the one line and a fault; else 0."""
        if len(self.lines) != 1:
            return 0
        found = _answers.decode(self.lines[0]).error
        return found.code if found is not None else 0
