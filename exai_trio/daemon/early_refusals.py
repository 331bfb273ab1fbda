"""What a call is refused for after it was begun and before it is accepted: paths that may not be used, a disk that does not take it."""

from typing import Final

import trio

from exai_trio.errors import ExaiError, StorageError
from exai_trio.tools import path_refusals

from .calls import Call

_PATHS_S: Final = 0.5


async def paths_refused(call: Call) -> ExaiError | None:
    """Why the paths of the call are refused, if that is known soon; a disk that is slow to say it is left to the tool, and a call
    that is being ended to its end."""
    if not call.tool.paths:
        return None
    files = call.shared.services.files
    try:
        with trio.move_on_after(_PATHS_S):
            await path_refusals.check(call.tool, call.arguments, call.roots, files)
    except ExaiError as refusal:
        return None if call.ending else refusal
    return None


def not_journalled(fault: StorageError) -> StorageError:
    """Why a call is refused that cannot be journalled."""
    return StorageError(
        f"the call was not started, because it could not be written down: {fault.message}"
        " EXAI_DURABILITY=off takes calls without that",
        retry_after_s=fault.retry_after_s or 5.0,
        details={"reason": "not_journalled"},
    )
