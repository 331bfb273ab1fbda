"""One call of a command, carried out: what comes is shown, signals end it, a reader that leaves too."""

from collections.abc import Callable

import trio

from exai_trio import structs
from exai_trio.commands.calling.follow_call import Asked, CallFollower, Interrupts, Outcome
from exai_trio.commands.client import Dial
from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.transport.websocket import PeerGone, Unreachable, connect
from exai_trio.wire.messages import DaemonMessage

Show = Callable[[DaemonMessage], None]


def _silently(_message: DaemonMessage) -> None:
    return


@structs.frozen(kw_only=True)
class Ended:
    """How a call ended. Without an outcome, `left_behind` says what becomes of it."""

    outcome: Outcome | None
    interrupted: bool
    left_behind: str


async def run_call(
    config: Config, asked: Asked, show: Show = _silently, *, stream: bool, dial: Dial = connect
) -> Ended:
    """The outcome, `show` having been given all that came before it.

    Raises Unreachable, PeerGone or ExaiError; OSError where what came could not be shown: the call is then cancelled.
    Cancelling drops the connection.
    """
    interrupts = Interrupts()
    shown = _Shown(show, interrupts)
    follower = CallFollower(
        config=config,
        asked=asked,
        stream=stream,
        show=shown.show,
        interrupts=interrupts,
        dial=dial,
    )
    fault: Exception | None = None
    async with trio.open_nursery() as watching:
        await watching.start(interrupts.run)
        try:
            with interrupts.everything:
                await follower.run()
        except (ExaiError, PeerGone, Unreachable) as raised:  # raised below, not in a group
            fault = raised
        watching.cancel_scope.cancel(reason="the call is over")
    fault = shown.fault or fault
    if fault is not None:
        raise fault
    return Ended(
        outcome=follower.outcome,
        interrupted=interrupts.seen > 0,
        left_behind=follower.left_behind,
    )


@structs.define(eq=False)
class _Shown:
    """Hands on what comes, until that fails: then nobody waits for the call any more."""

    _show: Show
    _interrupts: Interrupts
    fault: OSError | None = None

    def show(self, message: DaemonMessage) -> None:
        if self.fault is not None:
            return
        try:
            self._show(message)
        except OSError as fault:
            self.fault = fault
            self._interrupts.stop_waiting()
