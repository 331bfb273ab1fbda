"""How long one exchange with a provider may take: the limit that is running, as the deadline of one cancel scope."""

import math
from collections.abc import Mapping
from typing import Final, Literal

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ProviderTimeoutError

from .endpoint import Endpoint, Limits

IDLE_SLACK: Final = 0.01  # of the idle limit
Limit = Literal["connect", "first_byte", "idle", "stream"]
_WHAT_WAS_LATE: Final[Mapping[Limit, str]] = {
    "connect": "no connection within {:g} s",
    "first_byte": "no answer began within {:g} s",
    "idle": "the answer paused for more than {:g} s",
    "stream": "the answer was not complete after {:g} s",
}


@structs.define(kw_only=True)
class Patience:
    """The limit that is running now, as the deadline of one scope around the whole exchange. Times are trio's."""

    limits: Limits
    scope: trio.CancelScope
    stream_until: float
    limit: Limit = attrs.field(default="first_byte", init=False)
    _move_at: float = attrs.field(default=-math.inf, init=False)

    def wait_for_first_byte(self, now: float, first_byte_s: float) -> None:
        first_byte_until = now + first_byte_s
        self.limit = "first_byte" if first_byte_until < self.stream_until else "stream"
        self.scope.deadline = min(first_byte_until, self.stream_until)

    def heard(self) -> None:
        """Bytes came: the idle limit starts anew. The deadline is moved only once it has aged a little, so it is that lax."""
        now = trio.current_time()
        if now >= self._move_at:
            age_s = self.limits.idle_s * IDLE_SLACK
            self._move_at = now + age_s
            idle_until = now + self.limits.idle_s + age_s
            self.limit = "idle" if idle_until <= self.stream_until else "stream"
            self.scope.deadline = min(idle_until, self.stream_until)

    def end(self) -> None:
        """No limit runs any more."""
        self._move_at = self.scope.deadline = math.inf


def late(endpoint: Endpoint, limit: Limit) -> ProviderTimeoutError:
    seconds: float = getattr(endpoint.limits, f"{limit}_s")
    setting = endpoint.setting_of(limit)
    where = f" ({setting})" if setting else ""
    once = {"max_attempts": 1} if endpoint.local else {}  # this machine will not be faster
    return ProviderTimeoutError(
        f"{endpoint.dialect.title}: {_WHAT_WAS_LATE[limit].format(seconds)}{where}",
        details={"limit": limit, "seconds": seconds, **once},
    )
