"""What looks at how the daemon does, as jobs: incidents are kept."""

from collections.abc import Iterator
from typing import Final

from exai_trio import structs
from exai_trio.incidents.keeping import IncidentKeeping

from .supervision import Job

_KEEP_S: Final = 1.0
_SPOOL_S: Final = 30.0


@structs.frozen(eq=False)
class Watching:
    """All of one daemon."""

    incidents: IncidentKeeping

    def jobs(self) -> Iterator[tuple[float, Job]]:
        yield _SPOOL_S, self.incidents.take_spool
        yield _KEEP_S, self.incidents.flush_incidents
