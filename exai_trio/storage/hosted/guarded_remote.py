"""The other side of a mirror under one breaker, with deadlines: who asks while it is away is told so at once.

It is connected some time after the daemon serves; until then whoever asks waits, as long as it may.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.resilience.breaker import Breaker, Closed, Outcome, Ticket
from exai_trio.storage.hosted.hosted_faults import HostedAway, HostedFault
from exai_trio.storage.hosted.outbox_entries import Remote
from exai_trio.storage.store_times import StoreTimes

T = TypeVar("T")

_NEVER_S: Final = 0.0  # a breaker that never opens


@structs.define(eq=False)
class GuardedRemote:
    """`fault` is why it could not be asked the last time; None if it could."""

    breaker: Breaker = attrs.field(factory=lambda: Breaker(threshold=0, open_s=_NEVER_S))
    times: StoreTimes = attrs.field(factory=StoreTimes)
    fault: HostedFault | None = None
    _remote: Remote | None = None
    _refusal: HostedFault | None = None
    _known: trio.Event = attrs.field(factory=trio.Event)

    def connect(self, remote: Remote) -> None:
        """It can be asked from now on."""
        self._remote, self._refusal = remote, None
        self._known.set()

    def refuse(self, refusal: HostedFault) -> None:
        """Who asks from now on is told this, until it is connected again."""
        self._refusal = self.fault = refusal
        self._known.set()

    async def ask(
        self, question: Callable[[Remote], Awaitable[T]], within_s: float, *, insist: bool = False
    ) -> T:
        """Its answer. `insist`: also while the breaker is open, which an answer then closes.

        Raises HostedFault; cancelling leaves open whether what was asked has been done, and the breaker as it is.
        """
        ticket = self.breaker.admit(trio.current_time())
        if isinstance(ticket, Ticket):
            return await self._under(ticket, question, within_s)
        if not insist:
            raise _not_asked(ticket.retry_after_s)
        answer = await self._asked(question, within_s)
        self.breaker = Breaker(threshold=self.breaker.threshold, open_s=self.breaker.open_s)
        return answer

    @property
    def closed_door(self) -> HostedAway | None:
        """What whoever asks now is told at once, without anything being asked."""
        now = trio.current_time()
        if self.breaker.state(now) != "open":
            return None
        closed = self.breaker.admit(now)  # which changes nothing while it is open
        return _not_asked(closed.retry_after_s) if isinstance(closed, Closed) else None

    async def _under(
        self, ticket: Ticket, question: Callable[[Remote], Awaitable[T]], within_s: float
    ) -> T:
        outcome: Outcome = "nothing"
        try:
            answer = await self._asked(question, within_s)
        except HostedFault as fault:
            outcome = "failure" if isinstance(fault, HostedAway) else "success"
            raise
        else:
            outcome = "success"
            return answer
        finally:
            self.breaker.settle(ticket, outcome, trio.current_time())

    async def _asked(self, question: Callable[[Remote], Awaitable[T]], within_s: float) -> T:
        try:
            answer = await self._in_time(question, within_s)
        except HostedFault as fault:
            self.fault = fault
            raise
        self.fault = None
        return answer

    async def _in_time(self, question: Callable[[Remote], Awaitable[T]], within_s: float) -> T:
        try:
            with trio.fail_after(within_s):
                await self._known.wait()
                if self._refusal is not None or self._remote is None:
                    raise self._refusal or HostedAway("Supabase is not connected.")
                with self.times.timed("supabase", "ask"):
                    return await question(self._remote)
        except trio.TooSlowError as late:
            raise HostedAway(
                f"Supabase did not answer within {within_s:g} s; what is kept meanwhile is sent later.",
                reason="too slow",
            ) from late


def _not_asked(retry_after_s: float) -> HostedAway:
    return HostedAway(
        "Supabase failed again and again and is not asked for now.",
        reason="breaker_open",
        retry_after_s=retry_after_s,
    )
