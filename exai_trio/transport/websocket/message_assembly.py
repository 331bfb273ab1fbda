"""Messages out of the parts in which they arrive, refused as soon as they are too large. Pure: no trio, no clock, no I/O."""

import attrs

from exai_trio import structs

Message = str | bytes


class TooLargeError(Exception):
    """A message is over the limit."""


@structs.define(eq=False, repr=False, weakref_slot=False)  # small: one for each connection
class Assembly:
    """`most` bytes may the next message have, `later` those behind it."""

    _most: int
    _later: int
    _size: int = 0
    _parts: list[Message] = attrs.field(factory=list[Message])

    @property
    def has_begun(self) -> bool:
        return bool(self._parts)

    def add(self, part: Message, *, is_last: bool) -> Message | None:
        """The whole message, if this was its last part. Raises TooLargeError."""
        self._size += len(part)  # of text, characters, which are never more than the bytes
        if part:
            self._parts.append(part)
        if self._size > self._most or (is_last and self._is_too_large_in_bytes()):
            self._parts.clear()
            raise TooLargeError(f"messages are limited to {self._most} bytes")
        return self._taken(part) if is_last else None

    def _is_too_large_in_bytes(self) -> bool:
        return self._size * 4 > self._most and sum(map(_size, self._parts)) > self._most

    def _taken(self, last: Message) -> Message:
        parts, self._parts, self._size, self._most = self._parts, [], 0, self._later
        if len(parts) == 1:
            return parts[0]
        return _joined(parts) if parts else last


def _joined(parts: list[Message]) -> Message:
    if isinstance(parts[0], str):
        return "".join([part for part in parts if isinstance(part, str)])
    return b"".join([part for part in parts if isinstance(part, bytes)])


def _size(part: Message) -> int:
    return len(part.encode()) if isinstance(part, str) else len(part)
