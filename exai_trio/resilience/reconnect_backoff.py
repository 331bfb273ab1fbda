"""How long the link waits before it tries again to connect. Pure: no clock, and the caller brings the random number."""

from typing import Final

from exai_trio import structs

SHORTEST_S: Final = 0.05  # between attempts, however many requests come
_OF_A_CLOSED_DOOR: Final = 0.1


@structs.frozen(kw_only=True)
class Pauses:
    """All durations in seconds; `first_s` and `longest_s` are EXAI_RECONNECT_MIN_S and EXAI_RECONNECT_MAX_S."""

    first_s: float
    longest_s: float

    def next_s(self, away_s: float, *, closed_door: bool, random: float) -> float:
        """As long again as the daemon has been away, so that pauses double; `random` in [0, 1) spreads it by a tenth.

        Only a tenth of that if nobody listens on this very machine: asking costs next to nothing, and a
        daemon that starts is found in a tenth of the time that it took.
        """
        wait = self.first_s + away_s
        if closed_door:
            wait *= _OF_A_CLOSED_DOOR
        return max(SHORTEST_S, min(self.longest_s, wait)) * (0.9 + 0.2 * random)
