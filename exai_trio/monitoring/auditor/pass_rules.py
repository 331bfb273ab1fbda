"""When the auditor may look again. Pure: no trio, no clock, no I/O."""

from typing import Final

from exai_trio import structs

PAUSE_S: Final = 300.0
A_DAY: Final = 12
DAY_S: Final = 86_400.0
_CALLS: Final = 20
_FAULTS: Final = 3
_REST_S: Final = 3600.0


@structs.define(eq=False)
class PassRules:
    """`now` is seconds of one clock. Idle means no pass: it needs 20 new calls or a new alert since the last."""

    _last: float  # the start, before the first
    _calls: int = 0
    _alerts: int = 0
    _faults: int = 0
    _rests_until: float = float("-inf")

    def is_due(self, now: float, calls: int, alerts: int) -> bool:
        """`calls` and `alerts` are totals since the start."""
        news = calls - self._calls >= _CALLS or alerts > self._alerts
        return news and now - self._last >= PAUSE_S and now >= self._rests_until

    def began(self, now: float, calls: int, alerts: int) -> None:
        self._last, self._calls, self._alerts = now, calls, alerts

    def ended(self, now: float, *, good: bool) -> None:
        """Three faults in a row rest it for an hour."""
        self._faults = 0 if good else self._faults + 1
        if self._faults >= _FAULTS:
            self._faults, self._rests_until = 0, now + _REST_S
