"""When a call is answered whatever it does: before its client gives up, and after what the daemon promises. Pure: no clock, no I/O."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from exai_trio import structs
from exai_trio.tools.statuses import is_workflow

from .known_clients import waits_s

# Who waits without a limit is answered after what the daemon promises.
_LEAST: Final = 900.0
_RESTART_S: Final = 60.0
UNLIMITED: Final = 1_000_000
_MARGIN: Final = 0.05
_LEAST_MARGIN_S: Final = 2.0


@structs.frozen(kw_only=True)
class Budget:
    """`handle_s` is when the daemon is to give a handle, None to leave that to it; `answer_s` is when we answer ourselves,
    at the latest as a Promise says."""

    handle_s: float | None
    answer_s: float


@structs.frozen(kw_only=True)
class Promise:
    """What the daemon lets us do: so many calls at a time, each so many seconds; and how often it says that one still runs."""

    window: int = UNLIMITED
    longest_call_s: float = 0.0
    progress_s: float = 0.0
    # replaced by the settings where a shim is built
    simple_call_s: float = 60.0
    workflow_call_s: float = 300.0

    @classmethod
    def of(cls, limits: Mapping[str, Any], before: "Promise") -> "Promise":
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


@lru_cache(64)  # of the editor's name, for each call
def budget_of(client: str, *, hears_progress: bool = True, told_s: float = 0.0) -> Budget:
    """The budget of a client, less a margin for the way back; the daemon gets the margin twice. `told_s` is what the user says
    that it waits (EXAI_CLIENT_TIMEOUT_S), 0 for what its name tells."""
    seconds = told_s or waits_s(client, hears_progress=hears_progress)
    if seconds == math.inf:
        return Budget(handle_s=None, answer_s=math.inf)
    margin = min(max(_LEAST_MARGIN_S, seconds * _MARGIN), seconds / 4)
    return Budget(handle_s=seconds - 2 * margin, answer_s=seconds - margin)
