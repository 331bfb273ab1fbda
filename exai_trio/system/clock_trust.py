"""Whether what is old by the wall clock may be deleted. Pure: no trio, no clock, no I/O.

A clock that stands far beyond the time at which it was last known to be right is wrong, or EXAI was away for long: nobody can
tell. So it is trusted again once it has stood where it stands for an hour; one that is set right is trusted at once.
"""

from typing import Final

from exai_trio import structs

FAR_S: Final = 3600.0
PROBATION_S: Final = 3600.0
_STEADY_S: Final = 60.0  # less is no setting: two clocks differ


@structs.define(eq=False)
class ClockTrust:
    """`known_at` is the wall clock's time, in unix seconds, at which it was last known to be right: the newest of what is kept when
    EXAI starts (None: nothing is kept). `since` is that moment by a clock that nobody sets."""

    known_at: float | None
    since: float
    _doubted_since: float | None = None
    _ahead: float = 0.0

    def trusts(self, wall: float, steady: float) -> bool:
        """Whether the wall clock is right now, as both clocks are read."""
        if self.known_at is not None and self._is_doubted(self.known_at, wall, steady):
            return False
        self.known_at, self.since, self._doubted_since = wall, steady, None
        return True

    def _is_doubted(self, known_at: float, wall: float, steady: float) -> bool:
        ahead = wall - (known_at + steady - self.since)
        if ahead <= FAR_S:
            return False
        if self._doubted_since is None or abs(ahead - self._ahead) > _STEADY_S:
            self._doubted_since, self._ahead = steady, ahead
        return steady - self._doubted_since < PROBATION_S
