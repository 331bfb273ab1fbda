"""EXAI_ALERT_WEBHOOK: told once when an alert fires and once when it clears; whatever it does, nobody waits for it but its own job."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio

from exai_trio import __version__, structs
from exai_trio.monitoring.alerts.alert_state import AlertChange
from exai_trio.observability.times import rfc3339

log = logging.getLogger("exai.alerts")

_MOST_WAITING: Final = 200  # of about 300 bytes; then the oldest goes
_TRY_S: Final = 5.0
_TRIES: Final = 3
_DONE: Final = range(200, 300)  # HTTP's statuses of what was taken
_PAUSE_S: Final = 1.0

Post = Callable[[str, dict[str, Any]], Awaitable[int]]


@structs.define(eq=False)
class Webhook:
    """`post` sends JSON and returns the HTTP status; it raises OSError or ValueError."""

    url: str = attrs.field(repr=False)
    post: Post
    now: Callable[[], float]
    failed: int = 0
    _waiting: deque[dict[str, Any]] = attrs.field(
        factory=lambda: deque[dict[str, Any]](maxlen=_MOST_WAITING)
    )

    def note(self, moved: AlertChange) -> None:
        self._waiting.append(told(moved, self.now()))

    async def send_alerts(self) -> None:
        """Tell all that waits, each in at most three tries of 5 seconds. Cancelling drops the one that is on its way."""
        while self._waiting:
            message = self._waiting.popleft()
            why = await self._tries(message)
            if why:
                self.failed += 1
                log.warning(
                    "the webhook was not told", extra={"alert": message["alert"], "reason": why}
                )

    async def _tries(self, message: dict[str, Any]) -> str:
        """Why it was not told, or ""."""
        why = ""
        for number in range(_TRIES):
            if number:
                await trio.sleep(_PAUSE_S * number)
            why = await self._try(message)
            if not why:
                break
        return why

    async def _try(self, message: dict[str, Any]) -> str:
        try:
            with trio.fail_after(_TRY_S):
                status = await self.post(self.url, message)
        except (OSError, ValueError) as fault:
            return f"{type(fault).__name__}: {fault}"
        except trio.TooSlowError:
            return f"no answer within {_TRY_S:.0f} s"
        return "" if status in _DONE else f"status {status}"


def told(moved: AlertChange, now: float) -> dict[str, Any]:
    """What is sent: figures and fixed words, nothing of users'."""
    what = "fires" if moved.to == "firing" else "is over"
    return {
        "text": f"EXAI: {moved.severity} alert {moved.name} {what}: {moved.text}",
        "alert": moved.name,
        "subject": moved.subject,
        "state": moved.to,
        "severity": moved.severity,
        "value": round(moved.value, 4),
        "at": rfc3339(now),
        "version": __version__,
    }
