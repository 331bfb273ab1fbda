"""The stores of what the daemon sees go wrong, together: whoever watches needs them all."""

from collections.abc import Mapping
from typing import Protocol

from exai_trio import structs
from exai_trio.storage.watching.alert_records import AlertStore
from exai_trio.storage.watching.incident_records import IncidentStore, Investigations
from exai_trio.storage.watching.observation_records import ObservationStore


class UsualDurations(Protocol):
    """Raises StorageError. Cancelling changes nothing."""

    async def p95_s(self, since: float) -> Mapping[str, float]:
        """By tool, of the calls that were accepted since then (unix seconds), in seconds; tools of few calls are left out."""
        ...


@structs.frozen(kw_only=True, eq=False)
class WatchingStores:
    incidents: IncidentStore
    investigations: Investigations
    alerts: AlertStore
    observations: ObservationStore
    durations: UsualDurations
