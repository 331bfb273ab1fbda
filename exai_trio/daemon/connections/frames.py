"""A client's frame becomes a message, or the answer that says why not.

What is too large or too intricate is left unread.
"""

from typing import Final

import attrs
import trio
from msgspec import UNSET

from exai_trio import structs
from exai_trio.errors import ExaiError, InvalidRequestError, TooLargeError
from exai_trio.wire.beginning import MOST_VALUES, may_be_intricate, outer_members, values_of
from exai_trio.wire.codec import WireError, decode_client
from exai_trio.wire.messages import CallFailed, ClientMessage, ErrorReply, MaybeId, RequestId

from ..calls.wire_errors import as_fault

# Bytes: what is done with so many takes milliseconds, and others have a turn between.
_LONG: Final = 262_144
_NO_ID: Final = "no request_id was found that this answer could carry: text of 1 to 512 characters, or an integer"

Read = ClientMessage | CallFailed | ErrorReply
"""A message, or what its sender is to be told instead."""


@structs.frozen(eq=False)
class Unread:
    """A frame that was not read, as far as it can be answered."""

    fault: ExaiError
    op: str | None
    request_id: RequestId | None

    def answer(self) -> CallFailed | ErrorReply:
        """What has no id, or none that can be said again, is told so: its sender would wait for an answer under that id."""
        request_id: MaybeId = UNSET if self.request_id is None else self.request_id
        error = as_fault(self.fault, "unreadable")
        if self.request_id is None:
            error = attrs.evolve(error, message=f"{error.message}; {_NO_ID}")
        if self.op in {"call_tool", "tool_call"}:
            return CallFailed(request_id=request_id, error=error)
        return ErrorReply(request_id=request_id, error=error)


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
        return Unread(InvalidRequestError(wrong.reason), wrong.op, wrong.request_id).answer()


async def read_long(frame: str | bytes, size: int, most: int) -> Read:
    """Read a frame that is looked through first. Others have their turn between, and after the reading. Cancelling leaves
    nothing behind."""
    unread = await objection(frame, size, most)
    if unread is not None:
        return unread.answer()
    found = read(frame)
    if size > _LONG:
        await trio.lowlevel.checkpoint()
    return found


async def objection(frame: str | bytes, size: int, most: int) -> Unread | None:
    """Why a frame is not read, or None. `size` is the frame's, `most` what is taken, both in bytes. Cancelling leaves nothing
    behind."""
    if size > most:
        return _unread(frame, _too_large(size, most))
    if may_be_intricate(frame) and await _is_intricate(frame):
        reason = f"the frame has more than {MOST_VALUES} values, the most that are taken"
        return _unread(frame, InvalidRequestError(f"{reason}; send long lists as text or in files"))
    return None


def _too_large(size: int, most: int) -> TooLargeError:
    return TooLargeError(
        f"the request has {size} bytes; at most {most} are taken (TOOL_CALL_MAX_SIZE)."
        " Send less text, or name files instead of pasting them",
        details={"limit": "tool_call_max_size", "size": size, "max": most},
    )


async def _is_intricate(frame: str | bytes) -> bool:
    seen = 0
    for values in values_of(frame):
        seen += values
        if seen > MOST_VALUES:
            return True
        await trio.lowlevel.checkpoint()
    return False


def _unread(frame: str | bytes, fault: ExaiError) -> Unread:
    members = outer_members(frame)
    op = members.get("op")
    return Unread(fault, op if isinstance(op, str) else None, members.get("request_id"))
