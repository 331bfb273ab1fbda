"""How long each client waits for a tool before it gives up. Pure: no trio, no clock, no I/O.

Progress extends none of these. A client that is not named here waits longer than any call of ours runs.
"""

from typing import Final

import attrs

# Client names begin like this, as they stand in clientInfo; seconds.
_BUDGETS: Final = (
    ("codex", 60.0),
    ("claude-ai", 60.0),
    ("claude desktop", 60.0),
    ("github-copilot", 60.0),
    ("cursor", 300.0),
)
_LONGEST: Final = 900.0
_MARGIN: Final = 0.05
_LEAST_MARGIN_S: Final = 2.0


@attrs.frozen(kw_only=True)
class Budget:
    """`handle_s` is when the daemon is to give a handle, None to leave that to it; `answer_s` is when we answer ourselves."""

    handle_s: float | None
    answer_s: float


def budget_of(client: str) -> Budget:
    """The budget of a client, less a margin for the way back; the daemon gets the margin twice."""
    name = client.casefold()
    for prefix, seconds in _BUDGETS:
        if name.startswith(prefix):
            margin = max(_LEAST_MARGIN_S, seconds * _MARGIN)
            return Budget(handle_s=seconds - 2 * margin, answer_s=seconds - margin)
    return Budget(handle_s=None, answer_s=_LONGEST)
