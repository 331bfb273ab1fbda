"""The signals of a daemon: the first of those that stop it lets it drain, the second cuts it, and a hangup reads settings again."""

import logging
import signal
from typing import TYPE_CHECKING

import trio

from .reload import Reload, Reread

if TYPE_CHECKING:  # loaded only where it is asked for
    from ..jobs.hosted_side import HostedSide

log = logging.getLogger("exai.daemon")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (*_STOP_SIGNALS, signal.SIGHUP)


async def watch_signals(
    stop: trio.Event, everything: trio.CancelScope, task_status: trio.TaskStatus[None]
) -> None:
    """Set `stop`, then cancel `everything`. Cancelling leaves signals as they were before."""
    with trio.open_signal_receiver(*_STOP_SIGNALS) as signals:
        task_status.started()
        seen = 0
        async for number in signals:
            seen += 1
            if seen > 1:
                log.warning("cut by a second signal", extra={"signal": number})
                everything.cancel(reason="a second signal")
                return
            log.info("stopping", extra={"signal": number})
            stop.set()


async def watch_hangups(
    reload: Reload,
    reread: Reread,
    hosted: "HostedSide | None",
    task_status: trio.TaskStatus[None],
) -> None:
    """Until cancelled, which leaves signals as they were before."""
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            await reload.read_again(reread)
            if hosted is not None:
                hosted.try_now()
