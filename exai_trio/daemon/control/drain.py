"""The orderly end: no new connections, a goodbye, time for the calls that run, then the cut."""

import logging

import trio

from exai_trio.config import Config
from exai_trio.transport.websocket import SERVICE_RESTART
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Bye

from ..delivery.outbox import Farewell
from ..health.report import StoreState
from ..sessions.session_registry import Sessions
from ..takeover.successor import interrupted

log = logging.getLogger("exai.drain")

_FLUSH_S = 0.5


async def drain(
    sessions: Sessions, connections: trio.Nursery, store: StoreState | None = None
) -> None:
    """Let calls finish, leave the rest to the next daemon or interrupt them, and close every connection with 1012.

    Takes at most EXAI_DRAIN_S: what the connections may still need for their last frames and goodbyes is set aside. Cancelling
    leaves the daemon draining, with its calls as they are.
    """
    context = sessions.context
    calls, shutdown = sessions.calls, context.shutdown
    calls_s, flush_s, close_s = _times(context.config)
    shutdown.draining = True
    if store is not None:
        store.flush_by(trio.current_time() + context.config.drain_s)
    log.info("draining", extra={"running": len(calls.open)})
    for outbox in sessions.outboxes():
        outbox.put(encode(Bye(reason="draining", retry_after_s=shutdown.retry_after_s)))
    with trio.move_on_after(calls_s):
        await calls.wait_none()
    calls.leave_all(interrupted(shutdown.retry_after_s))
    with trio.move_on_after(flush_s):
        await calls.wait_none()
    for outbox in sessions.outboxes():
        outbox.close(Farewell(SERVICE_RESTART, "draining"))
    connections.cancel_scope.deadline = trio.current_time() + close_s


def _times(config: Config) -> tuple[float, float, float]:
    """Seconds for the calls that run, for their outcomes to be kept, and for the connections to hear their last frames and
    goodbyes: EXAI_DRAIN_S together at most, half of it for the calls at least."""
    set_aside = min(config.ws_close_timeout + 2 * _FLUSH_S, config.drain_s / 2)
    flush_s = min(_FLUSH_S, set_aside / 2)
    return config.drain_s - set_aside, flush_s, set_aside - flush_s
