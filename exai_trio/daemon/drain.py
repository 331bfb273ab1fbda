"""The orderly end: no new connections, a goodbye, time for the calls that run, then the cut."""

import logging

import trio

from exai_trio.errors import CallInterrupted
from exai_trio.transport.websocket import SERVICE_RESTART
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Bye

from .outbox import Farewell
from .sessions import Sessions
from .state import Shared

log = logging.getLogger("exai.drain")

_RETRY_AFTER_S = 1.0
_FLUSH_S = 0.5


async def drain(shared: Shared, sessions: Sessions, connections: trio.Nursery) -> None:
    """Let calls finish, leave the rest to the next daemon or interrupt them, and close every connection with 1012.

    Takes at most EXAI_DRAIN_S: what the connections may still need for their last frames and goodbyes is set aside.
    """
    config = shared.config
    set_aside = min(config.ws_close_timeout + 2 * _FLUSH_S, config.drain_s / 2)
    shared.draining.set()
    log.info("draining", extra={"running": shared.figures.running})
    for outbox in sessions.outboxes():
        outbox.put(encode(Bye(reason="draining", retry_after_s=_RETRY_AFTER_S)))
    with trio.move_on_after(config.drain_s - set_aside):
        await shared.wait_quiet()
    sessions.leave_calls(_interrupted())
    with trio.move_on_after(_FLUSH_S):
        await shared.wait_quiet()
    for outbox in sessions.outboxes():
        outbox.close(Farewell(SERVICE_RESTART, "draining"))
    connections.cancel_scope.deadline = trio.current_time() + config.ws_close_timeout + _FLUSH_S


def _interrupted() -> CallInterrupted:
    return CallInterrupted(
        "the daemon stopped before the call was done; the provider may already have done the work. Send it again",
        retry_after_s=_RETRY_AFTER_S,
    )
