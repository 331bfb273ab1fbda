"""How long each client waits for a tool before it gives up. Pure: no trio, no clock, no I/O.

Progress extends none of these. A client that is not named here waits as long as any call of ours runs.
"""

import math
from typing import Final

from exai_trio import structs

# Client names begin like this, as they stand in clientInfo; seconds.
_BUDGETS: Final = (
    ("codex", 60.0),
    ("claude-ai", 60.0),
    ("claude desktop", 60.0),
    ("github-copilot", 60.0),
    ("cursor", 300.0),
)
# Whoever is not named above waits for what the daemon promises, and so do we.
_LEAST: Final = 900.0
_RESTART_S: Final = 60.0
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

    window: int = 1_000_000
    longest_call_s: float = 0.0
    progress_s: float = 0.0

    @property
    def patience_s(self) -> float:
        """How long we wait for whoever waits for ever: a call may be run twice, before and after a restart."""
        return max(_LEAST, 2 * self.longest_call_s + _RESTART_S)


def budget_of(client: str) -> Budget:
    """The budget of a client, less a margin for the way back; the daemon gets the margin twice."""
    name = client.casefold()
    for prefix, seconds in _BUDGETS:
        if name.startswith(prefix):
            margin = max(_LEAST_MARGIN_S, seconds * _MARGIN)
            return Budget(handle_s=seconds - 2 * margin, answer_s=seconds - margin)
    return Budget(handle_s=None, answer_s=math.inf)
