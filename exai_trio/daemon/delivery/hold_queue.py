"""Frames in the order of their numbers, some of which must wait for the disk. Pure: no trio, no clock, no I/O.

A client drops what it takes for old: no frame may overtake one with a lower number.
"""

from itertools import takewhile

import attrs

from exai_trio import structs


@structs.define(eq=False)
class Held:
    """A frame on its way; `free` once it may go. `kept` frames are given again to a client that comes back."""

    frame: str
    free: bool = False
    kept: bool = True


@structs.define(eq=False)
class HoldQueue:
    """At most one frame waits for each call, and what was put behind it while the disk wrote."""

    _waiting: list[Held] = attrs.field(factory=list[Held])  # an empty deque has 600 bytes

    def __repr__(self) -> str:
        return f"<HoldQueue waiting={len(self._waiting)} kept={self.kept}>"

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def kept(self) -> int:
        """How many of those that wait are given again."""
        return sum(held.kept for held in self._waiting)

    def hold(self, frame: str, *, kept: bool = True) -> Held:
        """The frame takes its place in the order, and waits."""
        held = Held(frame, kept=kept)
        self._waiting.append(held)
        return held

    def put(self, frame: str, *, kept: bool = True) -> list[str]:
        """A frame that need not wait but for those before it. Returns what may go now."""
        if not self._waiting:
            return [frame]
        self.hold(frame, kept=kept).free = True
        return []

    def free(self, held: Held) -> list[str]:
        """This frame need not wait any longer. Returns what may go now."""
        held.free = True
        due = list(takewhile(lambda held: held.free, self._waiting))
        del self._waiting[: len(due)]
        return [held.frame for held in due]
