"""What looks at how the daemon does, as jobs: incidents are kept."""

from collections.abc import Iterator
from typing import Final

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.incidents.capture import Capture
from exai_trio.incidents.keeping import IncidentKeeping
from exai_trio.incidents.spool import Spool
from exai_trio.storage.incident_records import IncidentStore

from .supervision import Job

_KEEP_S: Final = 1.0
_SPOOL_S: Final = 30.0


@structs.frozen(eq=False)
class Watching:
    """All of one daemon."""

    incidents: IncidentKeeping

    @classmethod
    def of(
        cls, config: Config, store: IncidentStore | None, capture: Capture | None
    ) -> "Watching | None":
        """Where what is seen can be kept."""
        if store is None or capture is None:
            return None
        return cls(IncidentKeeping(capture, store, Spool.of(config)))

    def jobs(self) -> Iterator[tuple[float, Job]]:
        yield _SPOOL_S, self.incidents.take_spool
        yield _KEEP_S, self.incidents.flush_incidents
