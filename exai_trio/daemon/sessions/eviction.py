"""Clients that do not read are let go of when too much is held for them."""

import logging
import math
from typing import Final

import trio

from exai_trio import structs

from .memory_budget import Weight
from .session_registry import Sessions

log = logging.getLogger("exai.session")

_STUCK_S: Final = 1.0
_AGAIN_S: Final = 1.25  # until who has taken nothing since a look is stuck


@structs.define(eq=False)
class Eviction:
    """Looks at every session, as a job."""

    sessions: Sessions
    _seen: int = 0
    _again_at: float = math.inf

    async def look(self) -> None:
        """Wait for a call or a connection to change, or for clients to have had time to read what waits for them; then cut off, and
        forget, whom the budget names. Their outcomes stay in the journal for whoever comes back. Cancelled, it looks the next time."""
        changed = self.sessions.calls.changed
        if changed.told == self._seen:
            with trio.move_on_at(self._again_at):
                await changed.wait()
        is_new, self._seen = changed.told != self._seen, changed.told
        self._shed()
        self._again_at = trio.current_time() + self._soon_s(is_new=is_new)

    def _soon_s(self, *, is_new: bool) -> float:
        """Until there is something to be seen although nothing changes: what is being written may stay unread, a stream grows."""
        if any(box.held_bytes for box in self.sessions.outboxes()):
            return 0.0
        return _AGAIN_S if is_new or self.sessions.calls.open else math.inf

    def _shed(self) -> None:
        stuck_since = trio.current_time() - _STUCK_S
        sessions = list(self.sessions.table.values())
        weights = [Weight(one, one.held_bytes, one.is_idle(stuck_since)) for one in sessions]
        too_heavy = self.sessions.budget.look(weights)
        overdrawn = [one for one in sessions if one.rules.is_overdrawn]
        for session in dict.fromkeys([*too_heavy, *overdrawn]):
            held = session.held_bytes
            if session.shed():
                log.warning("session shed", extra={"session": session.id, "held_bytes": held})
