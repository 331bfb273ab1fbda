"""What is known of a terminal session. Its keeper holds it; whoever reads it anywhere else has a copy."""

from typing import Any, Literal

import msgspec

from exai_trio import structs
from exai_trio.wire.terminal_messages import SessionType


@structs.frozen(kw_only=True)
class SessionRecord:
    """Times are unix seconds; `exit` is {status} or {signal} once the program has ended; `project_path` is where it was started."""

    session_id: str
    type: SessionType
    tab_name: str
    project_path: str
    principal: str
    created: float
    project_id: str | None = None
    last_activity: float = 0.0
    state: Literal["running", "ended"] = "running"
    exit: dict[str, Any] | None = None
    clients: int = 0
    head: int = 0
    cols: int = 0
    rows: int = 0
    pid: int = 0
    keeper: int = 0

    @property
    def is_running(self) -> bool:
        return self.state == "running"


def record_of(described: dict[str, Any]) -> SessionRecord:
    """Raises msgspec.ValidationError for what no keeper of ours says."""
    return msgspec.convert(described, SessionRecord)
