"""All stores of what the daemon sees go wrong, in one open file."""

from typing import TYPE_CHECKING

from exai_trio.storage.sqlite.watching.alert_rows import SqliteAlerts
from exai_trio.storage.sqlite.watching.incident_rows import SqliteIncidents
from exai_trio.storage.sqlite.watching.investigation_rows import SqliteInvestigations
from exai_trio.storage.sqlite.watching.observation_rows import SqliteObservations
from exai_trio.storage.sqlite.watching.usual_durations import SqliteUsualDurations
from exai_trio.storage.watching.watching_stores import WatchingStores

if TYPE_CHECKING:
    from exai_trio.storage.sqlite.uploads.upload_store import Database


def stores_in(store: "Database") -> WatchingStores:
    return WatchingStores(
        incidents=SqliteIncidents(store),
        investigations=SqliteInvestigations(store),
        alerts=SqliteAlerts(store),
        observations=SqliteObservations(store),
        durations=SqliteUsualDurations(store),
    )
