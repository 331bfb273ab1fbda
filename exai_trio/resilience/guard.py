"""One request under a breaker, a number of attempts and the deadline of its caller.

The only retry loop in EXAI. A wait that the deadline of the caller would cut short is not begun: the failure is
reported at once. Nothing is tried again once its answer has begun to reach the caller.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ProviderBusyError, ProviderError

from .backoff import Backoff
from .breaker import Breaker, Closed, Outcome, Ticket

T = TypeVar("T")

# The peer is well: we ask too much at once, or for a longer answer than we allow.
_WELL: Final = frozenset({"rate_limit", "concurrency", "length"})


@structs.define(kw_only=True)
class Attempt:
    """One try, counted from 1. Whoever makes it sets `spoke` when the first token goes to the caller."""

    number: int
    spoke: bool = False
    last_error: ProviderError | None = None


def _untold(before: str, after: str) -> None:
    del before, after


@structs.frozen(kw_only=True)
class Guard:
    """`name` is what the breaker stands for. `retrying(error, wait_s, next_number)` is told before each wait,
    `moved(before, after)` of each other state of the breaker."""

    name: str
    breaker: Breaker
    random: Callable[[], float]
    retrying: Callable[[ProviderError, float, int], None]
    moved: Callable[[str, str], None] = _untold
    backoff: Backoff = attrs.field(factory=Backoff)

    async def run(self, make: Callable[[Attempt], Awaitable[T]]) -> T:
        """The first answer that succeeds. Raises ProviderError, the last one met. Cancelling counts as nothing and leaves the breaker
        as it was.
        """
        attempt = Attempt(number=1)
        while True:
            ticket = self._admit(attempt)
            try:
                return await self._once(make, attempt, ticket)
            except ProviderError as error:
                wait_s = self._wait_before_next(error, attempt)
                if wait_s is None:
                    raise
                attempt = Attempt(number=attempt.number + 1, last_error=error)
                self.retrying(error, wait_s, attempt.number)
            await trio.sleep(wait_s)

    def _admit(self, attempt: Attempt) -> Ticket:
        admission = self.breaker.admit(trio.current_time())
        if isinstance(admission, Ticket):
            return admission
        raise attempt.last_error or self._refusal(admission)

    def _refusal(self, closed: Closed) -> ProviderError:
        wait_s = max(1.0, closed.retry_after_s)
        return ProviderBusyError(
            f"{self.name} failed {self.breaker.failures} times in a row and is not asked for now; "
            f"try again in {wait_s:.0f} s or name another model",
            retry_after_s=wait_s,
            details={"reason": "breaker_open"},
        )

    async def _once(
        self, make: Callable[[Attempt], Awaitable[T]], attempt: Attempt, ticket: Ticket
    ) -> T:
        outcome: Outcome = "nothing"
        if ticket.probe:
            self.moved("open", "half open")
        try:
            answer = await make(attempt)
        except ProviderError as error:
            outcome = _told_by(error)
            raise
        else:
            outcome = "success"
            return answer
        finally:
            self._settle(ticket, outcome, trio.current_time())

    def _settle(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        before = self.breaker.state(now)
        self.breaker.settle(ticket, outcome, now)
        after = self.breaker.state(now)
        if after != before:
            self.moved(before, after)

    def _wait_before_next(self, error: ProviderError, attempt: Attempt) -> float | None:
        allowed = min(
            self.backoff.attempts, error.details.get("max_attempts", self.backoff.attempts)
        )
        if attempt.spoke or not error.retryable or attempt.number >= allowed:
            return None
        wait_s = self.backoff.delay_s(attempt.number, error.retry_after_s, self.random())
        in_time = trio.current_time() + wait_s < trio.current_effective_deadline()
        return wait_s if in_time else None


def _told_by(error: ProviderError) -> Outcome:
    """What a failure tells of the peer. A refusal of its own shows that it is alive; one without a status is ours, made before
    anything was sent."""
    reason = error.details.get("reason")
    if reason in _WELL:
        return "success"
    if error.retryable and reason != "unsendable":
        return "failure"
    return "success" if "status" in error.details else "nothing"
