"""One client that is attached to a session: what it was sent, what it has shown, whether it still holds the others. Pure; standard
library only.
"""

from collections import deque
from typing import Any, Final

from . import keeper_frames

PATIENCE_S: Final = 10.0  # for a client that acknowledges nothing, until it is left behind
WINDOW: Final = 262_144  # bytes that are sent and not acknowledged
GATHERED: Final = 65_536  # under a flood, no smaller piece is sent
TAKEN_S: Final = 0.02  # so long that input is taken waits for an echo to go with
NEVER: Final = float("inf")


class Viewer:
    """`cursor` is the next offset that is sent, `acked` the first that is not shown; `texts` go out before more output."""

    def __init__(self, client: str, cursor: int, *, writes: bool, size: tuple[int, int]) -> None:
        self.client = client
        self.cursor = cursor
        self.acked = cursor
        self.writes = writes
        self.size = size
        self.texts: deque[bytes] = deque()
        self.is_behind = False
        self.knows_exit = False  # it was told
        self.has_confirmed = False  # and has said that it knows
        self.is_over = False  # another connection of the same client has taken its place
        self.tells_taken_at = NEVER
        self._taken = 0
        self._waits_since: float | None = None

    def tell(self, **fields: Any) -> None:
        self.texts.append(keeper_frames.text(fields))

    def note_taken(self, number: int, now: float) -> None:
        """The program has the input up to this number."""
        self._taken = number
        self.tells_taken_at = min(self.tells_taken_at, now + TAKEN_S)

    def tell_taken(self) -> bool:
        """Whether there was something of that kind to be told."""
        if self.tells_taken_at == NEVER:
            return False
        self.tells_taken_at = NEVER
        self.tell(op="taken", n=self._taken)
        return True

    def acknowledge(self, offset: int, now: float) -> None:
        """Everything before `offset` is shown. Who acknowledges again holds again."""
        if offset > self.acked:
            self.acked = offset
            self.is_behind = False
            self._waits_since = now

    def jump(self, offset: int) -> None:
        """What lies before `offset` is gone: the client hears of it."""
        self.cursor = offset
        self.acked = max(self.acked, offset)

    def look(self, head: int, now: float) -> None:
        """Leave it behind if it has acknowledged nothing for too long, while there was something; tell it what is due."""
        if now >= self.tells_taken_at:
            self.tell_taken()
        if self.acked >= head:
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = now
        elif now - self._waits_since >= PATIENCE_S:
            self.is_behind = True

    @property
    def left_behind_at(self) -> float | None:
        """When it is, unless it acknowledges something before."""
        if self.is_behind or self._waits_since is None:
            return None
        return self._waits_since + PATIENCE_S

    def room(self, wanted: int) -> int:
        """How many of so many bytes it may be sent now; one that is left behind is sent what its connection takes.

        While much is not acknowledged, little waits for more, or for the next acknowledgement.
        """
        if self.is_behind:
            return wanted
        under_way = self.cursor - self.acked
        count = min(wanted, WINDOW - under_way)
        return 0 if count < GATHERED <= under_way else count
