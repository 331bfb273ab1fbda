"""A client's frame becomes a message, or the answer that says why not.

What is too large or too intricate is left unread.
"""

from typing import Final

import attrs
import trio
from msgspec import UNSET

from exai_trio.errors import ExaiError, InvalidRequestError, TooLargeError
from exai_trio.wire.beginning import MOST_VALUES, may_be_intricate, outer_members, values_of
from exai_trio.wire.codec import WireError, decode_client
from exai_trio.wire.messages import CallFailed, ClientMessage, ErrorReply, MaybeId, RequestId

from ..delivery.wire_errors import as_fault

# Bytes: what is done with so many takes milliseconds, and others have a turn between.
_LONG: Final = 262_144
_INTRICATE: Final = InvalidRequestError(
    f"the frame has more than {MOST_VALUES} values, the most that are taken; send long lists as text or in files"
)
_NO_ID: Final = "no request_id was found that this answer could carry: text of 1 to 512 characters, or an integer"

Read = ClientMessage | CallFailed | ErrorReply
"""A message, or what its sender is to be told instead."""


def size_of(frame: str | bytes) -> int:
    """In bytes, as it travelled."""
    if isinstance(frame, bytes) or frame.isascii():
        return len(frame)
    return len(frame.encode())


def is_short(size: int, most: int) -> bool:
    """Whether a frame of this size can be read at once: it is allowed, and cannot be intricate."""
    return size <= MOST_VALUES and size <= most


def read(frame: str | bytes) -> Read:
    """Read it at once."""
    try:
        return decode_client(frame)
    except WireError as wrong:
        return _answer(InvalidRequestError(wrong.reason), wrong.op, wrong.request_id)


def is_long(size: int) -> bool:
    """Whether others are to have a turn between the reading of a frame of this size and what is done with it."""
    return size > _LONG


async def objection(frame: str | bytes, size: int, most: int) -> CallFailed | ErrorReply | None:
    """What its sender is told of a frame that is not read, or None. `size` is the frame's, `most` what is taken, both in bytes. Others
    have their turn while it is looked through. Cancelling leaves nothing behind."""
    fault: ExaiError | None = _too_large(size, most) if size > most else None
    if fault is None and may_be_intricate(frame):
        seen = 0
        for values in values_of(frame):
            seen += values
            if seen > MOST_VALUES:
                fault = _INTRICATE
                break
            await trio.lowlevel.checkpoint()
    if fault is None:
        return None
    members = outer_members(frame)
    return _answer(fault, members.get("op"), members.get("request_id"))


def _too_large(size: int, most: int) -> TooLargeError:
    return TooLargeError(
        f"the request has {size} bytes; at most {most} are taken (TOOL_CALL_MAX_SIZE)."
        " Send less text, or name files instead of pasting them",
        details={"limit": "tool_call_max_size", "size": size, "max": most},
    )


def _answer(fault: ExaiError, op: object, request_id: RequestId | None) -> CallFailed | ErrorReply:
    """To whom sent a frame that was not read. What has no id, or none that can be said again, is told so: its sender would wait for an
    answer under that id."""
    known: MaybeId = UNSET if request_id is None else request_id
    error = as_fault(fault, "unreadable")
    if request_id is None:
        error = attrs.evolve(error, message=f"{error.message}; {_NO_ID}")
    if op in {"call_tool", "tool_call"}:
        return CallFailed(request_id=known, error=error)
    return ErrorReply(request_id=known, error=error)
