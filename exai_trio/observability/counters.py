"""What the daemon counts of its sessions, connections and calls."""

import attrs

from exai_trio import structs
from exai_trio.system.change import Change


@structs.define(eq=False)
class Counters:
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
    _ended: Change = attrs.field(factory=Change, repr=False)

    def call_started(self) -> None:
        self.running += 1

    def call_ended(self) -> None:
        self.running -= 1
        self._ended.tell()

    async def wait_no_call(self) -> None:
        """Return when no call runs. Cancelling leaves nothing behind."""
        while self.running:
            await self._ended.wait()

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

    def of_calls(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in _OF_CALLS}


_OF_CALLS = tuple(
    field.name
    for field in attrs.fields(Counters)
    if field.type is int and field.name not in {"sessions", "connections"}
)
