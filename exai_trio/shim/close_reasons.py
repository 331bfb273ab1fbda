"""Why a connection to the daemon ended.

What follows from it, `link` decides.
"""

from typing import Final

import trio

from exai_trio.transport.websocket import PeerGone, Unreachable
from exai_trio.wire.messages import Bye

NO_ANSWER: Final = "no answer in time"


class Refused(Exception):
    """The daemon does not let us in; the text is its word for why."""


class Departing(Exception):
    """The daemon closes on purpose."""

    def __init__(self, bye: Bye) -> None:
        super().__init__(bye.reason)
        self.bye = bye


def plainest(group: BaseExceptionGroup[Exception]) -> Exception:
    """The fault that says most: the daemon's own word before the broken connection that follows it."""
    return min(_leaves(group), key=_rank)


def bugs_in(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """What of it is no way in which a connection ends."""
    return [fault for fault in _leaves(group) if _rank(fault) == 1]


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    leaves: list[Exception] = []
    rest: list[BaseExceptionGroup[Exception] | Exception] = [group]
    while rest:
        fault = rest.pop()
        if isinstance(fault, BaseExceptionGroup):
            rest.extend(fault.exceptions)
        else:
            leaves.append(fault)
    return leaves


def _rank(fault: Exception) -> int:
    match fault:
        case Refused() | Departing():
            return 0
        case PeerGone() | Unreachable() | trio.TooSlowError():
            return 2
        case _:
            return 1
