"""What daemons that share a store agree on about permits: each lane is one account at a provider, whose places they share. No SQL here."""

from collections.abc import Mapping
from typing import Protocol

from exai_trio import structs


@structs.frozen(kw_only=True)
class LaneAsk:
    """`holds` are the places that a daemon may use at this moment, `share` those that it asks for, of `capacity` for all; `wanted` is what it
    could use."""

    capacity: int
    holds: int
    share: int
    wanted: int


@structs.frozen(kw_only=True)
class LaneShare:
    """`share` is the daemon's from now on; `others` is what other daemons want, by daemon."""

    share: int
    others: Mapping[str, int]


@structs.frozen(kw_only=True)
class Dealt:
    """By lane; `turn` counts up as time goes on, the same for all."""

    lanes: Mapping[str, LaneShare]
    turn: int


class SharedPermits(Protocol):
    """Shares of a daemon that does not ask for a lease's time are free again."""

    async def share(self, daemon: str, asked: Mapping[str, LaneAsk]) -> Dealt:
        """All shares together are never more than the capacity, but for what daemons hold. Raises StorageError. Cancelled, it has the old
        shares or the new ones."""
        ...
