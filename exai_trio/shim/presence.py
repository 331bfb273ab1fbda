"""Whether there is a daemon, what it lets us do, and how long a call is waited for with it or without it. Pure."""

import math

import attrs

from exai_trio import structs
from exai_trio.mcp.open_calls import Asker, Open
from exai_trio.shim.client_timeouts import Promise


@structs.define
class Presence:
    """`absent_since` is None while a daemon is there; `absence` says why it is not, and `remedy` what to do. One that is `leaving`
    takes no new calls. `promise` is what the last one said."""

    promise: Promise = attrs.field(factory=Promise)
    absent_since: float | None = -math.inf
    absence: str = "none was found"
    remedy: str = ""
    leaving: bool = False

    def come(self, promise: Promise) -> None:
        self.promise, self.absent_since, self.leaving = promise, None, False

    def go(self, now: float, absence: str, remedy: str) -> None:
        if self.absent_since is None:
            self.absent_since = now
        self.absence, self.remedy, self.leaving = absence, remedy, False

    def deadline(self, call: Open, asker: Asker) -> float:
        """What the client allows; without a daemon no more than the call could take with one. What a daemon has accepted the
        next one answers, and is waited for."""
        most = min(asker.deadline, asker.began + self.promise.patience_s)
        if self.absent_since is None or call.accepted:
            return most
        return min(most, self._alone_since(asker) + self.promise.call_s(call.message.name))

    def complaint(self, asker: Asker, now: float) -> str:
        """Why this asker is not answered."""
        waited = now - self._alone_since(asker)
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"no daemon could be used for {waited:.0f} s: {self.absence}{remedy}"

    def _alone_since(self, asker: Asker) -> float:
        since = asker.began if self.absent_since is None else self.absent_since
        return max(asker.began, since)
