"""Which of the client's directories can be named to a daemon; of the others it is said that they are left out."""

import logging
from collections.abc import Iterable
from typing import Final

log = logging.getLogger("exai.shim")

_MOST: Final = 256  # as the protocol has it
_LONGEST: Final = 4096  # characters


def sendable(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that a message can carry: one name in it that is no UTF-8 would have the whole hello refused."""
    kept: list[str] = []
    for path in paths:
        why = _objection(path) or ("there are too many" if len(kept) >= _MOST else "")
        if why:
            log.warning("directory left out", extra={"path": ascii(path)[:_LONGEST], "why": why})
        else:
            kept.append(path)
    return tuple(kept)


def _objection(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:  # audit: empty-handler, because the answer is the objection
        return "its name is not UTF-8"
    return "its name is too long" if len(path) > _LONGEST else ""
