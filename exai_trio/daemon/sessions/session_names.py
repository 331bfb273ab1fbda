"""Which session a client means by the id that it chose, and what one is called that chose none.

The ids that the home's owner chooses are taken as they are. Those of anybody else stand in a room of their own, so that an id
says nothing of another's: whether that has such a session cannot be learnt, and none can be kept from it by taking its name.
"""

import hashlib
import re
import secrets
from typing import Final

from exai_trio.principals import OWNER
from exai_trio.wire.handles import is_handle

_CHOSEN: Final = re.compile(r"[A-Za-z0-9_-]{3,64}")
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_IN_A_ROOM: Final = re.compile(r"of[0-9a-f]{16}_[0-9a-f]{24}")


def may_be_named(wanted: str | None) -> bool:
    """Whether a client may choose this id at all."""
    return wanted is not None and not is_handle(wanted) and bool(_CHOSEN.fullmatch(wanted))


def session_name(principal: str, wanted: str) -> str | None:
    """The session's id; None if nobody's may be called so."""
    if principal == OWNER:
        return None if _IN_A_ROOM.fullmatch(wanted) else wanted
    room = f"of{_hash(principal)[:16]}_"
    return wanted if wanted.startswith(room) else room + _hash(wanted)[:24]


def new_name(now: float) -> str:
    """Of a session whose client chose none."""
    letters = "".join(secrets.choice(_BASE36) for _ in range(25))
    return f"session_{now * 1000:.0f}_{letters}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
