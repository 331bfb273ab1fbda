"""Whether a peer that keeps failing may be asked at all. Pure: no trio, no clock; `now` is handed in.

Closed: everybody passes; `threshold` failures in a row open it. Open: nobody passes for `open_s`. Then half open:
one probe at a time; its success closes the breaker, its failure opens it anew, and a probe that was cancelled
or never sent says nothing and leaves the place to the next.
"""

from typing import Literal

import attrs

from exai_trio import structs

State = Literal["closed", "open", "half open"]
Outcome = Literal["success", "failure", "nothing"]


@structs.frozen(kw_only=True)
class Ticket:
    """Leave to ask once. Goes back with `Breaker.settle`, exactly once, whatever became of the request."""

    epoch: int
    probe: bool


@structs.frozen(kw_only=True)
class Closed:
    """No leave: ask again in so many seconds (0: a probe is under way, its outcome decides)."""

    retry_after_s: float


@structs.define(kw_only=True, repr=False)
class Breaker:
    """`threshold` 0 switches it off: everybody always passes."""

    threshold: int
    open_s: float
    failures: int = attrs.field(default=0, init=False)
    epoch: int = attrs.field(default=0, init=False)  # counts when it opens or closes
    _is_wanted: bool = attrs.field(default=False, init=False)  # somebody was refused
    _open_until: float | None = attrs.field(default=None, init=False)
    _probing: bool = attrs.field(default=False, init=False)

    def __repr__(self) -> str:
        state = "closed" if self._open_until is None else f"open until {self._open_until:.1f}"
        return f"<Breaker {state} failures={self.failures} of {self.threshold}>"

    def state(self, now: float) -> State:
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half open"

    @property
    def pristine(self) -> bool:
        """Nothing is known against the peer, so that forgetting this breaker loses nothing."""
        return self._open_until is None and not self.failures

    def admit(self, now: float) -> Ticket | Closed:
        if self._open_until is None:
            return Ticket(epoch=self.epoch, probe=False)
        if now < self._open_until or self._probing:
            self._is_wanted = True
            return Closed(retry_after_s=max(0.0, self._open_until - now))
        self._probing = True
        return Ticket(epoch=self.epoch, probe=True)

    def settle(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        """Note what became of a request. What was asked before the breaker last opened or closed no longer counts."""
        if ticket.epoch != self.epoch:
            return
        if ticket.probe:
            self._probing = False
        if outcome == "success":
            self._close(was_probe=ticket.probe)
        elif outcome == "failure":
            self._count_failure(now, was_probe=ticket.probe)

    def open_for(self, now: float) -> float | None:
        """Seconds, 0 if it is half open; None while it is closed."""
        return None if self._open_until is None else max(0.0, self._open_until - now)

    @property
    def wants_probe(self) -> bool:
        """Somebody probes, or was refused since somebody could."""
        return self._is_wanted or self._probing

    def keep_open(self, until: float) -> None:
        """Others have found the peer failing: nobody passes before then. A probe that is under way counts all the same."""
        if self._open_until is None:
            self.epoch += 1
        self._open_until = until

    def let_probe(self, now: float) -> None:
        """Half open from now on, whatever it was."""
        self.keep_open(now)
        self._is_wanted = False

    def close(self) -> None:
        """Others have found the peer well."""
        if self._open_until is not None:
            self._close(was_probe=True)

    def _close(self, *, was_probe: bool) -> None:
        self.failures = 0
        if was_probe:
            self._open_until, self._probing = None, False
            self.epoch += 1

    def _count_failure(self, now: float, *, was_probe: bool) -> None:
        self.failures += 1
        if was_probe or 0 < self.threshold <= self.failures:
            self._open_until = now + self.open_s
            self.epoch += 1
