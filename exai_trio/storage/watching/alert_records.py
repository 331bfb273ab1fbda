"""What is kept of alerts over a restart: which fire, and which are silenced.

No SQL here. Times are unix seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from exai_trio import structs


@structs.frozen(kw_only=True)
class FiringAlert:
    """Fires since then."""

    name: str
    subject: str
    severity: str
    text: str
    since: float


@structs.frozen(kw_only=True)
class KeptAlerts:
    """Those that fire, the newest first; until when which names are silenced."""

    firing: tuple[FiringAlert, ...] = ()
    silenced: Mapping[str, float]


class AlertStore(Protocol):
    """Raises StorageError; cancelling leaves a change done or not done."""

    async def kept(self, now: float) -> KeptAlerts:
        """Without silences that are over."""
        ...

    async def move(self, firing: Sequence[FiringAlert], cleared: Sequence[tuple[str, str]]) -> None:
        """Those fire from now on, and these names and subjects no more."""
        ...

    async def silence(self, name: str, until: float, by: str) -> None: ...
