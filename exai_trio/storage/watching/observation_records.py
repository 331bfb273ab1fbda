"""What the auditor has said, and how often it asked.

No SQL here. Times are unix seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from exai_trio import structs
from exai_trio.storage.watching.incident_records import Spent

KEPT_S: Final = 30 * 86_400.0
SAID_AGAIN_S: Final = 86_400.0


@structs.frozen(kw_only=True)
class Observation:
    """`figures` are those that it rests on, as they were."""

    id: str
    severity: str
    category: str
    text: str
    figures: Mapping[str, Any]
    at: float
    acknowledged: bool = False
    acknowledged_by: str = ""


class ObservationStore(Protocol):
    """Raises StorageError; cancelling leaves a change done or not done."""

    async def add(self, seen: Sequence[Observation], tokens: int, now: float) -> int:
        """What one pass has brought; what was said of the same figures within a day is left out, and what is older than 30 days goes.
        Returns how many are new."""
        ...

    async def newest(self, most: int, *, before: float | None = None) -> tuple[Observation, ...]:
        """The newest first; those before `before`."""
        ...

    async def acknowledge(self, observation_id: str, by: str) -> bool:
        """False if there is none of this id."""
        ...

    async def passes_since(self, at: float) -> Spent: ...
