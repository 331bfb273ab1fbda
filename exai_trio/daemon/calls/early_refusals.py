"""What a call is refused for after it was begun and before it is accepted: paths that may not be used, a quota that is used up."""

from typing import Final

import trio

from exai_trio.errors import ExaiError
from exai_trio.tools import path_refusals

from .call import Call

_PATHS_S: Final = 0.5


async def refusal_of(call: Call) -> ExaiError | None:
    """Why the call is not accepted, if so; else it has its place. Cancelling leaves a look at the disk to its thread."""
    return await paths_refused(call) or await over_quota(call)


async def over_quota(call: Call) -> ExaiError | None:
    """Why its principal may call no more now; else the call is counted, and has a place until it ends. Cancelled, it has none."""
    quotas = call.environment.quotas
    if quotas is None or not quotas.concerns(call.principal):
        return None
    try:
        call.place = await quotas.take(call.principal)
    except ExaiError as refusal:
        return refusal
    return None


async def paths_refused(call: Call) -> ExaiError | None:
    """Why the paths of the call are refused, if that is known soon; a disk that is slow to say it is left to the tool, and a call
    that is being ended to its end. What was found is the call's. Cancelling leaves the look at the disk to its thread."""
    if not call.tool.paths:
        return None
    files = call.environment.services.files
    try:
        with trio.move_on_after(_PATHS_S):
            call.found = await path_refusals.check(call.tool, call.arguments, call.roots, files)
    except ExaiError as refusal:
        return None if call.ending else refusal
    return None
