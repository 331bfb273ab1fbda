"""The stores of what the daemon sees go wrong, together: whoever watches needs them all."""

from exai_trio import structs
from exai_trio.storage.alert_records import AlertStore
from exai_trio.storage.incident_records import IncidentStore, Investigations
from exai_trio.storage.observation_records import ObservationStore


@structs.frozen(kw_only=True, eq=False)
class WatchingStores:
    incidents: IncidentStore
    investigations: Investigations
    alerts: AlertStore
    observations: ObservationStore
