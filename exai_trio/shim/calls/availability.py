"""Whether there is a daemon, what it lets us do, and how long a call is waited for with it or without it. Pure."""

import math

import attrs

from exai_trio import structs
from exai_trio.mcp.calls.open_calls import OpenCall, Requester

from ..daemon_limits import DaemonLimits


@structs.define
class Availability:
    """The daemon's. `absent_since` is None while it is there; `reason` says why it is not, and `remedy` what to do. One that is
    `leaving` takes no new calls. `limits` are what the last one said."""

    limits: DaemonLimits = attrs.field(factory=DaemonLimits)
    absent_since: float | None = -math.inf
    reason: str = "none was found"
    remedy: str = ""
    leaving: bool = False

    def __repr__(self) -> str:
        state = f"absent ({self.reason})" if self.absent_since is not None else "there"
        return f"<Availability {'leaving' if self.leaving else state}>"

    def arrived(self, limits: DaemonLimits) -> None:
        self.limits, self.absent_since, self.leaving = limits, None, False

    def left(self, now: float, reason: str, remedy: str) -> None:
        if self.absent_since is None:
            self.absent_since = now
        self.reason, self.remedy, self.leaving = reason, remedy, False

    def deadline(self, call: OpenCall, requester: Requester) -> float:
        """What the client allows; without a daemon no more than the call could take with one. What a daemon has accepted the
        next one answers, and is waited for."""
        most = min(requester.deadline, requester.began + self.limits.patience_s)
        if self.absent_since is None or call.accepted:
            return most
        return min(most, self._alone_since(requester) + self.limits.call_s(call.message.name))

    def lateness(self, requester: Requester, now: float) -> tuple[str, str]:
        """Why this one is not answered: a code, and a text for people."""
        if self.absent_since is None:
            return "TIMEOUT", "no answer came within the time this client waits"
        waited = now - self._alone_since(requester)
        remedy = f"; {self.remedy}" if self.remedy else ""
        why = f"no daemon could be used for {waited:.0f} s: {self.reason}{remedy}"
        return "SERVICE_UNAVAILABLE", why

    def _alone_since(self, requester: Requester) -> float:
        since = requester.began if self.absent_since is None else self.absent_since
        return max(requester.began, since)
