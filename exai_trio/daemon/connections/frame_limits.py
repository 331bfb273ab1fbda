"""What is too large or too intricate of a frame to be read at all, found without reading it."""

import trio

from exai_trio import structs
from exai_trio.errors import ExaiError, InvalidRequestError, TooLargeError
from exai_trio.wire.beginning import MOST_VALUES, may_be_intricate, outer_members, values_of
from exai_trio.wire.messages import RequestId


@structs.frozen(eq=False)
class Unread:
    """A frame that was not read, as far as it can be answered."""

    fault: ExaiError
    op: str | None
    request_id: RequestId | None


async def objection(frame: str | bytes, size: int, most: int) -> Unread | None:
    """Why a frame is not read, or None. `size` is the frame's, `most` what is taken, both in bytes. Others have their turn
    between. Cancelling leaves nothing behind."""
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
