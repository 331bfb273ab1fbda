"""The states of a call, and which follows which. Pure: no trio, no clock, no I/O.

A call begins as ADMITTED when its session takes it, as RUNNING or DETACHED when an earlier daemon had accepted it. Its own task
(`lifecycle`) takes it from state to state; beside that the daemon's clock for handles detaches it, and a successor that
takes our place has it transferred. All do so by `Call.advance`, in one synchronous step with what else changes by it.

What always holds, while there is a journal:
- Nobody hears that a call was accepted before it is RUNNING: then it is on disk, and stays there until it is over.
- It has one recipient: its session, then its handle once it is DETACHED, or the successor once it is TRANSFERRED.
- Only an ADMITTED, ACCEPTING, RECORDING or LATE call, or one whose handle or whose run again is not kept yet, is on its way to the disk. All others
  are settled: another daemon that reads the journal knows of them what we know.
- Its outcome is told once: when RECORDING ends, which is after it was written, or after a disk has refused it for too long (LATE).
- A cut at any moment leaves it as the journal has it: the next daemon runs it again, or says that it broke off.
"""

from enum import Enum, auto
from typing import Final, Literal


class State(Enum):
    """How far a call is."""

    ADMITTED = auto()  # its paths are looked at; a refusal would be the first that is heard of it
    ACCEPTING = auto()  # its acceptance has a number, and waits for the disk
    RUNNING = auto()  # its session is to be answered
    DETACHED = auto()  # it goes on without its client, who has a handle for its outcome
    TRANSFERRED = auto()  # a successor is to be told what comes of it, and alone keeps that
    RECORDING = auto()  # its outcome has a number, and waits for the disk
    LATE = auto()  # its outcome was told, and is still due to the disk
    REFUSED = auto()  # over: it was never accepted
    ENDED = auto()  # over: its outcome is told and kept
    LEFT_OPEN = auto()  # over here: the next daemon finds it in the journal
    PASSED_ON = auto()  # over here: the successor has its outcome

    __hash__ = object.__hash__  # there is one of each; Enum's own is a function in Python, and each call is looked up six times


Event = Literal[
    "allowed", "refused", "accepted", "due", "transferred", "ended", "left", "told late", "kept"
]

NEXT: Final[dict[State, dict[Event, State]]] = {
    State.ADMITTED: {"allowed": State.ACCEPTING, "refused": State.REFUSED},
    State.ACCEPTING: {"accepted": State.RUNNING, "refused": State.REFUSED},
    State.RUNNING: {
        "due": State.DETACHED,
        "transferred": State.TRANSFERRED,
        "ended": State.RECORDING,
        "left": State.LEFT_OPEN,
    },
    State.DETACHED: {
        "transferred": State.TRANSFERRED,
        "ended": State.RECORDING,
        "left": State.LEFT_OPEN,
    },
    State.TRANSFERRED: {"ended": State.PASSED_ON},
    State.RECORDING: {"kept": State.ENDED, "told late": State.LATE},
    State.LATE: {"kept": State.ENDED},
    State.REFUSED: {},
    State.ENDED: {},
    State.LEFT_OPEN: {},
    State.PASSED_ON: {},
}

SETTLED: Final = {State.RUNNING, State.DETACHED}  # what a successor may be told of
WORKING: Final = {State.RUNNING, State.DETACHED, State.TRANSFERRED}
RUNS: Final = {*WORKING, State.RECORDING}  # accepted, and without an outcome
KEPT_OPEN: Final = {*SETTLED, State.RECORDING, State.LATE}  # accepted on our disk, not ended there
UNTOLD: Final = {*RUNS, State.LEFT_OPEN, State.PASSED_ON}  # so they end here without one
CANCELLABLE: Final = {State.ADMITTED, State.ACCEPTING, *WORKING}
OVER: Final = {state for state, events in NEXT.items() if not events}
