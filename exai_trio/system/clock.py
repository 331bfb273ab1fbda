"""The wall clock: what the processes pass to whoever needs the time of day.

Durations come from trio's clock, not from here.
"""

import time


def unix_now() -> float:
    """Seconds since 1970, UTC; may jump."""
    return time.time()  # noqa: TID251 - the one place
