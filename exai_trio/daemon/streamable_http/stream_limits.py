"""An HTTP request lasts no longer than what it was let in by."""

from collections.abc import Awaitable, Callable

import trio

from exai_trio.errors import OverCapacityError, StorageError

from ..connections.identity import Identity
from .access import Denied
from .event_stream import Gone
from .request_rules import BadRequest


async def while_good(
    identity: Identity, now: Callable[[], float], work: Callable[[], Awaitable[None]]
) -> bool:
    """Do the work; cut it once the identity is over: its client comes again, and shows something new. Returns whether the work was
    done. Raises what refuses a request. Cancelling cuts the work."""
    if identity.is_lasting:
        await work()
        return True
    if identity.is_over(now()):  # within the leeway of whoever let it in
        return False
    refusal: Exception | None = None
    is_done = False
    async with trio.open_nursery() as legs:
        legs.start_soon(_cut_when_over, identity, now, legs.cancel_scope)
        try:
            await work()
            is_done = True
        except (Denied, BadRequest, StorageError, OverCapacityError, Gone) as raised:
            refusal = raised  # raised below: the nursery would wrap it
        legs.cancel_scope.cancel(reason="the request is answered")
    if refusal is not None:
        raise refusal
    return is_done


async def _cut_when_over(
    identity: Identity, now: Callable[[], float], work: trio.CancelScope
) -> None:
    why = await identity.wait_over(now)
    work.cancel(reason=why)
