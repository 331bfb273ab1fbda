"""When a call is answered whatever it does: before its client gives up. Pure: no clock, no I/O."""

import math
from functools import lru_cache
from typing import Final

from exai_trio import structs

from .known_clients import waits_s

_MARGIN: Final = 0.05
_LEAST_MARGIN_S: Final = 2.0


@structs.frozen(kw_only=True)
class Budget:
    """`handle_s` is when the daemon is to give a handle, None to leave that to it; `answer_s` is when we answer ourselves,
    math.inf for whoever waits as long as it takes."""

    handle_s: float | None
    answer_s: float


@lru_cache(64)  # of the editor's name, for each call
def budget_of(client: str, *, hears_progress: bool = True, told_s: float = 0.0) -> Budget:
    """The budget of a client, less a margin for the way back; the daemon gets the margin twice. `told_s` is what the user says
    that it waits (EXAI_CLIENT_TIMEOUT_S), 0 for what its name tells."""
    seconds = told_s or waits_s(client, hears_progress=hears_progress)
    if seconds == math.inf:
        return Budget(handle_s=None, answer_s=math.inf)
    margin = min(max(_LEAST_MARGIN_S, seconds * _MARGIN), seconds / 4)
    return Budget(handle_s=seconds - 2 * margin, answer_s=seconds - margin)
