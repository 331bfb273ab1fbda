"""A server's messages as frames, put together with one copy where wsproto makes five. Pure: no trio, no clock, no I/O."""

from collections.abc import Iterable, Iterator
from struct import Struct

from .message_assembly import Message

_TEXT, _BYTES = 0x81, 0x82  # whole messages
_SHORT, _MEDIUM, _LONG = Struct(">BB"), Struct(">BBH"), Struct(">BBQ")
_MOST_SHORT, _MOST_MEDIUM = 125, 65_535


def unmasked(messages: Iterable[Message]) -> bytes:
    """One frame for each message, in order."""
    return b"".join([part for one in messages for part in _parts(one)])


def _parts(message: Message) -> Iterator[bytes]:
    kind, payload = (_TEXT, message.encode()) if isinstance(message, str) else (_BYTES, message)
    size = len(payload)
    if size <= _MOST_SHORT:
        yield _SHORT.pack(kind, size)
    elif size <= _MOST_MEDIUM:
        yield _MEDIUM.pack(kind, 126, size)
    else:
        yield _LONG.pack(kind, 127, size)
    yield payload
