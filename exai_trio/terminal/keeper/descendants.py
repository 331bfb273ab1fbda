"""Everything that descends from a session, and its end: asked, asked harder, killed, until nothing is left. Standard library only.

Processes whose parent ends become children of the keeper, since that is their subreaper: none gets away by `nohup` or `setsid`.
"""

import ctypes
import os
import signal
from typing import Final

from .system_calls import unless_gone

_SET_CHILD_SUBREAPER: Final = 36  # of prctl
_PATIENCE_S: Final = 2.0  # from one signal to the next
_LOOK_S: Final = 0.05
# The kernel's own path.
_PROCESSES: Final = "/proc"


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(ancestor: int) -> list[int]:
    """The processes that descend from this one, without those that have ended and wait for their parent."""
    children: dict[int, list[int]] = {}
    ended: set[int] = set()
    for name in os.listdir(_PROCESSES):
        if name.isdigit() and (seen := unless_gone(_state_and_parent, name)) is not None:
            children.setdefault(seen[1], []).append(int(name))
            if seen[0] in "ZX":
                ended.add(int(name))
    found: list[int] = []
    to_do = [ancestor]
    while to_do:
        mine = children.get(to_do.pop(), [])
        to_do += mine
        found += mine
    return [pid for pid in found if pid not in ended]


def _state_and_parent(name: str) -> tuple[str, int]:
    """Raises OSError or ValueError if it is gone."""
    with open(f"{_PROCESSES}/{name}/stat", "rb") as file:
        state, parent, *_ = file.read(1024).rpartition(b")")[2].split()
    return state.decode(), int(parent)


def reap() -> dict[int, int]:
    """The exit codes of children that have ended; a signal is a negative number."""
    ended: dict[int, int] = {}
    while (found := unless_gone(os.waitpid, -1, os.WNOHANG)) is not None and found[0]:
        ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    return ended


class Ending:
    """SIGHUP, after 2 s SIGTERM, after 2 s SIGKILL, and that again until nobody is left."""

    def __init__(self) -> None:
        self._next_at: float | None = None
        self._signals = [signal.SIGHUP, signal.SIGTERM]

    @property
    def has_begun(self) -> bool:
        return self._next_at is not None

    def step(self, now: float) -> float | None:
        """Do what is due; when there is more to do, or None if nobody is left."""
        left = descendants(os.getpid())
        if not left:
            return None
        if self._next_at is None or now >= self._next_at:
            number = self._signals.pop(0) if self._signals else signal.SIGKILL
            for pid in left:
                unless_gone(os.kill, pid, number)
                unless_gone(os.kill, pid, signal.SIGCONT)  # one that is stopped hears nothing
            self._next_at = now + (_LOOK_S if number == signal.SIGKILL else _PATIENCE_S)
        return min(self._next_at, now + _LOOK_S)
