"""The permits that daemons share, in a dict: for tests and for the simulation."""

import attrs
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.shared.shared_calls import LEASE_S
from exai_trio.storage.shared.shared_permits import Dealt, LaneShare


@attrs.define(eq=False)
class MemoryPermits:
    """The same rule as the database's, a round trip away; `away` are the daemons that it does not answer."""

    rows: dict = attrs.field(factory=dict)
    away: set = attrs.field(factory=set)

    async def share(self, daemon, asked):
        await trio.sleep(0.004)
        if daemon in self.away:
            raise StorageError("away")
        lanes, now = {}, trio.current_time()
        for lane, ask in asked.items():
            others = {who: row for (where, who), row in self.rows.items() if (where, who) != (lane, daemon) and row[2] > now}  # fmt: skip
            free = ask.capacity - sum(share for share, _, _ in others.values())
            given = max(ask.holds, min(ask.share, free))
            self.rows[lane, daemon] = given, ask.wanted, now + LEASE_S
            lanes[lane] = LaneShare(share=given, others={d: row[1] for d, row in others.items()})
        await trio.sleep(0.004)
        return Dealt(lanes=lanes, turn=int(now // LEASE_S))
