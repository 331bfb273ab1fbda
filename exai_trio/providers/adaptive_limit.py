"""How many requests may be with one provider at once: set by configuration, learned downwards when the provider says so.

A provider that complains of too many at once gets one fewer, or as many as it names; after every RECOVER_S without
such a complaint one more is tried again, up to what is configured. What is reported follows the learned number.
"""

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ProviderError

RECOVER_S: Final = 60.0


@structs.frozen(kw_only=True)
class Permits:
    """`expected` are there at all, `current` of them free, and so many requests wait for one. Idle: current == expected."""

    expected: int
    current: int
    waiting: int


def _nobody_minds() -> None:
    pass


@structs.define(kw_only=True)
class AdaptiveLimit:
    """The permits of one provider. A permit is held exactly as long as the block it was taken for. `on_shortage` is called for whoever
    has to wait for one."""

    configured: int
    on_shortage: Callable[[], None] = _nobody_minds
    _share: int | None = attrs.field(default=None, init=False)
    _learned: int = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.configured, takes_self=True)
    )
    _limiter: trio.CapacityLimiter = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: trio.CapacityLimiter(self.configured), takes_self=True),
    )
    _recover_at: float = attrs.field(default=-math.inf, init=False)
    _lowered_at: float = attrs.field(default=-math.inf, init=False)

    @property
    def allowed(self) -> int:
        return int(self._limiter.total_tokens)

    @property
    def share(self) -> int | None:
        """How many of the account's permits are ours, where several daemons share it; None: all of them."""
        return self._share

    @share.setter
    def share(self, share: int | None) -> None:
        self._share = share
        self._allow()

    @property
    def held(self) -> int:
        return self._limiter.borrowed_tokens

    @property
    def demand(self) -> int:
        """How many are held or waited for."""
        return self.held + self._limiter.statistics().tasks_waiting

    def _allow(self) -> None:
        self._limiter.total_tokens = (
            self._learned if self._share is None else min(self._learned, self._share)
        )

    def view(self) -> Permits:
        return Permits(
            expected=self.allowed,
            current=max(0, self.allowed - self._limiter.borrowed_tokens),
            waiting=self._limiter.statistics().tasks_waiting,
        )

    @asynccontextmanager
    async def permit(self, waiting: Callable[[], None]) -> AsyncGenerator[float]:
        """Hold one; gives how many seconds that took. `waiting` is called if there was none at once.

        Cancelling while waiting leaves nothing behind.
        """
        holder = object()  # one task may hold several, one for each request it makes
        asked = trio.current_time()
        try:
            self._limiter.acquire_on_behalf_of_nowait(holder)
        except trio.WouldBlock:
            waiting()
            self.on_shortage()
            await self._limiter.acquire_on_behalf_of(holder)
        try:
            yield trio.current_time() - asked
        finally:
            self._limiter.release_on_behalf_of(holder)

    def learn(self, error: ProviderError | None, asked_at: float) -> None:
        """Take a lesson from how a request ended (None: well) that was made at `asked_at`.

        Many requests that were refused together teach one lesson, not one each.
        """
        now = trio.current_time()
        if error is not None and error.details.get("reason") == "concurrency":
            if asked_at >= self._lowered_at:
                named = error.details.get("max_concurrency", self.allowed - 1)
                self._learned = max(1, min(named, self.configured, self._learned))
                self._allow()
                self._lowered_at = now
            self._recover_at = now + RECOVER_S
        elif error is None and self._learned < self.configured and now >= self._recover_at:
            self._learned += 1
            self._allow()
            self._recover_at = now + RECOVER_S
