"""What a daemon lets its client do, as its hello_ack says, and how long a call is waited for that has no limit of its own. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from exai_trio import structs
from exai_trio.tools.statuses import is_workflow

# Who waits without a limit is answered after what the daemon promises.
_LEAST: Final = 900.0
_RESTART_S: Final = 60.0
UNLIMITED: Final = 1_000_000


@structs.frozen(kw_only=True)
class DaemonLimits:
    """What the daemon lets us do: so many calls at a time, each so many seconds; and how often it says that one still runs."""

    window: int = UNLIMITED
    longest_call_s: float = 0.0
    progress_s: float = 0.0
    # replaced by the settings where a shim is built
    simple_call_s: float = 60.0
    workflow_call_s: float = 300.0

    @classmethod
    def of(cls, limits: Mapping[str, Any], before: "DaemonLimits") -> "DaemonLimits":
        """What a hello_ack says; what it leaves out is as it was before."""
        longest = max(limits.get("call_timeout_s", 0.0), limits.get("stream_timeout_s", 0.0))
        return cls(
            window=max(1, int(limits.get("session_max_inflight", UNLIMITED))),
            longest_call_s=float(longest),
            progress_s=float(limits.get("progress_interval_s", 0.0)),
            simple_call_s=float(limits.get("simple_call_timeout_s", before.simple_call_s)),
            workflow_call_s=float(limits.get("workflow_call_timeout_s", before.workflow_call_s)),
        )

    def call_s(self, tool: str) -> float:
        """How long a call of this tool may take by itself."""
        return self.workflow_call_s if is_workflow(tool) else self.simple_call_s

    @property
    def patience_s(self) -> float:
        """How long we wait for whoever waits for ever: a call may be run twice, before and after a restart."""
        return max(_LEAST, 2 * self.longest_call_s + _RESTART_S)
