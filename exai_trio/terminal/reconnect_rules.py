"""When a client of a terminal tries again: at once, then less and less often, and never not at all. Pure: no trio, no clock, no I/O."""

from typing import Final

from exai_trio import structs

FIRST_S: Final = 0.25
LONGEST_S: Final = 30.0
IN_A_ROW: Final = 5  # failures, before it rests
REST_S: Final = 30.0
LASTING_S: Final = 1.0  # a connection that lived so long was no failure
JITTER: Final = 0.1  # of each wait: no two clients are in step
LOOK_S: Final = (0.05, 1.0)  # seconds between two looks at a port that nobody has
_OF_AWAY: Final = 0.1


@structs.define
class ReconnectRules:
    """`failures` in a row, since a connection was of use."""

    failures: int = 0

    @property
    def is_resting(self) -> bool:
        return self.failures >= IN_A_ROW

    def lost(self, *, was_of_use: bool) -> None:
        """A connection was of use if something went over it, or it lasted."""
        self.failures = 0 if was_of_use else self.failures + 1

    def wait_s(self, random: float) -> float:
        """Seconds before the next attempt; `random` is in [0, 1)."""
        if not self.failures:
            return 0.0
        longest = REST_S if self.is_resting else LONGEST_S
        wait = REST_S if self.is_resting else min(longest, FIRST_S * 2.0 ** (self.failures - 1))
        return wait * (1 - JITTER + 2 * JITTER * random)


def look_s(away_s: float) -> float:
    """Seconds until one looks again whether anybody listens: that burdens nobody, and a daemon that is back is found at once."""
    shortest, longest = LOOK_S
    return min(longest, max(shortest, _OF_AWAY * away_s))
