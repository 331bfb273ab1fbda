"""What the daemon counts. Pure: no trio, no clock, no I/O."""

from exai_trio import structs


@structs.define
class Figures:
    """Counted since the start; `sessions`, `connections` and `running` are what there is now; `bugs` are faults of ours, also
    beside others."""

    sessions: int = 0
    connections: int = 0
    running: int = 0
    accepted: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    timed_out: int = 0
    refused: int = 0
    repeated: int = 0
    bugs: int = 0

    def count(self, code: str) -> None:
        """Count an outcome by its error code, or "" for a result."""
        match code:
            case "":
                self.finished += 1
            case "CANCELLED":
                self.cancelled += 1
            case "TIMEOUT":
                self.timed_out += 1
            case _:
                self.failed += 1
