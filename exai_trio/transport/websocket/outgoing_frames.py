"""Messages as frames: a server's are put together here, since wsproto copies each five times; a client's have wsproto's mask. Pure: no trio, no clock, no I/O."""

from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import Final

from wsproto.connection import Connection
from wsproto.events import BytesMessage, Event, TextMessage

from .message_assembly import Message

_KINDS: Final[dict[type, Callable[..., Event]]] = {str: TextMessage, bytes: BytesMessage}
_TEXT, _BYTES = 0x81, 0x82  # whole messages
_SHORT, _MEDIUM, _LONG = Struct(">BB"), Struct(">BBH"), Struct(">BBQ")
_MOST_SHORT, _MOST_MEDIUM = 125, 65_535


def framed(protocol: Connection, messages: Iterable[Message]) -> bytes:
    """One frame for each message, in order. The connection must be open."""
    if protocol.client:
        return b"".join([protocol.send(_KINDS[type(one)](data=one)) for one in messages])
    return b"".join([part for one in messages for part in _unmasked(one)])


def _unmasked(message: Message) -> Iterator[bytes]:
    kind, payload = (_TEXT, message.encode()) if isinstance(message, str) else (_BYTES, message)
    size = len(payload)
    if size <= _MOST_SHORT:
        yield _SHORT.pack(kind, size)
    elif size <= _MOST_MEDIUM:
        yield _MEDIUM.pack(kind, 126, size)
    else:
        yield _LONG.pack(kind, 127, size)
    yield payload
