"""What daemons that share a store tell each other of breakers: who found which provider failing, and who of them probes it. No SQL here."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from exai_trio import structs


@structs.frozen(kw_only=True)
class BreakerNews:
    """Since it was told last: what has `opened`, for how many seconds yet, and what has `closed`; `wanted` are those that somebody would
    probe."""

    opened: Mapping[str, float]
    closed: Sequence[str]
    wanted: Sequence[str]


class SharedBreakers(Protocol):
    """Whoever was let probe, and does not want to within a lease's time, has let others."""

    async def compare(self, daemon: str, news: BreakerNews) -> Mapping[str, float]:
        """What is open anywhere, and for how many seconds yet; 0 means that this daemon alone is to probe it. Raises StorageError.
        Cancelled, the news are known or not."""
        ...
