"""How long to wait before trying again. Pure: no clock, and the caller brings the random number."""

from typing import Final

from exai_trio import structs

ATTEMPTS: Final = 4  # of one request, the first included


@structs.frozen(kw_only=True)
class Backoff:
    """Exponential with full jitter; all durations in seconds."""

    attempts: int = ATTEMPTS
    first_s: float = 0.5  # what callers get who say nothing else
    longest_s: float = 20.0  # what callers get who say nothing else

    def ceiling_s(self, failures: int) -> float:
        """The longest wait after so many failures (at least one)."""
        doublings = min(
            failures - 1, 30
        )  # 2 ** 30 is past every sensible limit, and floats stay finite
        return min(self.longest_s, self.first_s * 2.0**doublings)

    def delay_s(self, failures: int, retry_after_s: float | None, random: float) -> float:
        """Seconds to wait after the nth failure; `random` is in [0, 1).

        A peer that said when to come back is never asked earlier; the jitter is then added on top,
        so that many who were told the same do not return in one instant.
        """
        if retry_after_s is None:
            return random * self.ceiling_s(failures)
        return max(0.0, retry_after_s) + random * self.first_s
