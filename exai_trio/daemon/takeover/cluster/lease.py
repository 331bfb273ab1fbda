"""A lease says what a daemon may do at a moment. Pure: no trio, no clock, no I/O.

It is counted from before its renewal was sent, by a clock that nobody sets. The store counts from when it heard of it, so that what is
held here is held there.
"""

import math
from collections.abc import Iterable
from typing import Final

from exai_trio import structs
from exai_trio.storage.shared.shared_calls import LEASE_S

RENEW_S: Final = 1.5
SURE_S: Final = (
    4.0  # without a renewal: what is on its way then arrives before others may take the calls
)
_GAP_S: Final = 2 * RENEW_S  # so long none was missed


@structs.frozen
class Lease:
    """`sent_at` is when the newest renewal was sent that the store has confirmed, `since` when the first of those was, without a gap
    between."""

    sent_at: float = -math.inf
    since: float = math.inf

    def renewed(self, sent_at: float) -> "Lease":
        unbroken = sent_at <= self.sent_at + _GAP_S
        return Lease(sent_at, self.since if unbroken else sent_at)

    @property
    def serves_until(self) -> float:
        """From then on the daemon takes nothing, and what may not run twice ends."""
        return self.sent_at + SURE_S

    def may_serve(self, now: float) -> bool:
        return now < self.serves_until

    def may_claim(self, now: float) -> bool:
        """Whoever missed a renewal does not know whether others did: after an outage all have had the time to renew theirs."""
        return self.may_serve(now) and now >= self.since + LEASE_S


def next_end_s(leases_s: Iterable[float]) -> float:
    """When the next of these ends that hold yet: then what its daemon has left may be claimed."""
    return min((left_s for left_s in leases_s if left_s > 0), default=math.inf)
