"""Clients that do not read are let go of when too much is held for them."""

import logging

import trio

from exai_trio import structs

from .memory_budget import Weight
from .session_registry import Sessions

log = logging.getLogger("exai.session")

_STUCK_S = 1.0


@structs.frozen(eq=False)
class Eviction:
    """Looks at every session, as a job."""

    sessions: Sessions

    async def look(self) -> None:
        """Cut off, and forget, whom the budget names. Their outcomes stay in the journal for whoever comes back."""
        await trio.lowlevel.checkpoint()
        stuck_since = trio.current_time() - _STUCK_S
        sessions = list(self.sessions.table.values())
        weights = [Weight(one, one.held_bytes, one.is_idle(stuck_since)) for one in sessions]
        too_heavy = self.sessions.budget.look(weights)
        overdrawn = [one for one in sessions if one.rules.is_overdrawn]
        for session in dict.fromkeys([*too_heavy, *overdrawn]):
            held = session.held_bytes
            if session.shed():
                log.warning("session shed", extra={"session": session.id, "held_bytes": held})
