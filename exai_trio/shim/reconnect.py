"""The time between two connections: how long it takes, what ends it early, and what those who wait are told.

Who connects: `link`.
A new request ends a pause. It does not end the rest of a storm: when connections come to nothing one after the other, a
breaker lets some seconds pass before the next, whoever asks.
"""

import math
import random
from typing import Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.resilience.breaker import Breaker, Closed, Outcome, Ticket
from exai_trio.resilience.reconnect_backoff import SHORTEST_S, Pauses

from .calls.relay import Relay
from .remedies import ended

LASTING_S: Final = 1.0  # a connection that lived so long is no part of a storm
STORM: Final = 5  # connections in a row
REST_S: Final = 5.0
_SPREAD: Final = 0.2  # of the rest: shims that were thrown out together do not come back together


class Starter(Protocol):
    """Who starts daemons, and what has become of those."""

    def note_served(self) -> None:
        """A daemon has let us in."""
        ...

    @property
    def last_words(self) -> str:
        """Why the newest one that was started has ended, if it said why; "" otherwise."""
        ...


def _storm() -> Breaker:
    return Breaker(threshold=STORM, open_s=REST_S)


@structs.define(eq=False)
class Reconnect:
    """Of one link. Every connection begins with `wait`, but the first, and ends with `begin`."""

    config: Config
    relay: Relay
    _breaker: Breaker = attrs.field(factory=_storm)
    _ticket: Ticket = Ticket(epoch=0, probe=False)  # what a new breaker gives
    _connected_at: float = math.inf
    _failures: int = 0
    _since: float | None = None

    def __repr__(self) -> str:
        return f"<Reconnect failures={self._failures} since={self._since}>"

    def end(self) -> tuple[int, float]:
        """The daemon is there. Returns the attempts that it took, and the seconds for which it was away."""
        now = self._connected_at = trio.current_time()
        took = self._failures + 1, 0.0 if self._since is None else now - self._since
        self._failures, self._since = 0, None
        return took

    def begin(self, *, in_peace: bool, brought: bool) -> None:
        """A connection, or the attempt at one, has come to its end. `in_peace`: nobody was there, or the daemon gave its word for
        why. `brought`: something came that was waited for; whatever has ended it, it was worth making."""
        now = trio.current_time()
        worth_it = brought or now - self._connected_at >= LASTING_S
        outcome: Outcome = "success" if worth_it else "nothing" if in_peace else "failure"
        self._breaker.settle(self._ticket, outcome, now)
        self._connected_at = math.inf
        self._failures += 1
        if self._since is None:
            self._since = now

    def note_not_started(self, starter: Starter | None) -> None:
        """If the daemon has said why it ended, that is the answer to all that waits."""
        if starter is not None and starter.last_words:
            said = ended(starter.last_words)
            self.relay.refuse_all("SERVICE_UNAVAILABLE", said, "server")

    def pause_s(self, *, closed_door: bool = False) -> float:
        """How long to wait before the next attempt; it grows with the absence."""
        config, now = self.config, trio.current_time()
        pauses = Pauses(first_s=config.reconnect_min_s, longest_s=config.reconnect_max_s)
        away_s = 0.0 if self._since is None else now - self._since
        return pauses.next_s(away_s, closed_door=closed_door, random=random.random())  # noqa: S311  # spreads load, hides nothing

    async def wait(self, seconds: float, why: str) -> None:
        """Return when it is time for the next attempt; those who wait for an answer are told meanwhile. Cancelling leaves the pause
        as if it had not begun."""
        await trio.sleep(min(SHORTEST_S, seconds))
        await self._pass(seconds - SHORTEST_S, why, self.relay.asked)
        while isinstance(leave := self._breaker.admit(trio.current_time()), Closed):
            rest_s = leave.retry_after_s * (1 + _SPREAD * random.random())  # noqa: S311  # as above
            await self._pass(rest_s, why, trio.Event())
        self._ticket = leave
        self._tell(0.0, why)
        self.relay.asked = trio.Event()

    async def _pass(self, seconds: float, why: str, asked: trio.Event) -> None:
        """Let so much time pass, or until somebody asks."""
        end = trio.current_time() + seconds
        while not asked.is_set() and (left := end - trio.current_time()) > 0:
            self._tell(left, why)
            with trio.move_on_after(min(left, self.config.progress_interval_s)):
                await asked.wait()

    def _tell(self, left: float, why: str) -> None:
        remedy = self.relay.daemon.remedy
        text = f"daemon away ({why}), attempt {self._failures + 1}, next in {left:.0f} s"
        text = f"{text}; {remedy}" if remedy else text
        self.relay.away(text, trio.current_time())
