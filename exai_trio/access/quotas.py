"""What a principal may use: calls a minute, calls at once, tokens a day. Who is over hears so before anything of the call is kept.

The minute slides, and every accepted call counts; a place is given back when its call is over, however it ends. Tokens are known when a
call has ended, so those that run at the same time may overrun the day by their own.
"""

import logging
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import OverCapacityError, StorageError
from exai_trio.observability.events import CallEnded

from .token_registry import Quota

log = logging.getLogger("exai.session")

_MINUTE_S: Final = 60.0
DAY_S: Final = 86400.0
_PLACE_S: Final = 1.0  # a hint to clients, who decide
_NONE: Final = Quota()
_ALL: Final = ""  # the daemon's own sum

TokensSince = Callable[[float], Awaitable[Mapping[str, int]]]
"""Tokens by principal of calls accepted at that time or later. Raises StorageError. Cancelling leaves nothing behind."""


class SharedRates(Protocol):
    """Calls a minute of all daemons together."""

    async def wait_s(self, principal: str, most: int) -> float:
        """0 if the call is taken, and counted; else seconds until one will be. Raises StorageError. Cancelled, it is counted or not."""
        ...

    async def counted(self, principal: str) -> int:
        """Calls of the last minute. Raises StorageError. Cancelling changes nothing."""
        ...


@structs.define(eq=False)
class Use:
    """Of one principal: when calls of the last minute were accepted, by a clock that never goes back, and how many run."""

    accepted: deque[float] = attrs.field(factory=deque[float])
    running: int = 0

    def counted(self, now: float) -> int:
        """Calls of the last minute."""
        while self.accepted and self.accepted[0] <= now - _MINUTE_S:
            self.accepted.popleft()
        return len(self.accepted)

    def wait_s(self, most: int, now: float) -> float:
        """Seconds until one more call may be accepted."""
        self.counted(now)
        if not most or len(self.accepted) < most:
            return 0.0
        return self.accepted[len(self.accepted) - most] + _MINUTE_S - now


@structs.define(eq=False)
class Place:
    """One of the calls at once."""

    _use: Use
    _is_taken: bool = True

    def give_back(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._use.running -= 1


@structs.define(eq=False)
class DayTokens:
    """Tokens of this day (UTC) by principal, and of the whole daemon."""

    since: TokensSince
    day: int = -1
    spent: Counter[str] = attrs.field(factory=Counter[str])
    _loading: trio.Lock = attrs.field(factory=trio.Lock)

    async def load(self, now: float) -> None:
        """Know what was spent before this daemon began to count. Raises StorageError. Cancelling leaves it to the next."""
        async with self._loading:
            if self.day < 0:
                day = int(now // DAY_S)
                before = await self.since(day * DAY_S)
                self.day, self.spent = day, Counter(before)
                self.spent[_ALL] = sum(before.values())

    def add(self, principal: str, tokens: int, now: float) -> None:
        if self.of(principal, now) >= 0:
            self.spent[principal] += tokens
            self.spent[_ALL] += tokens

    def of(self, principal: str, now: float) -> int:
        """-1 while nothing is counted."""
        if self.day < 0:
            return -1
        day = int(now // DAY_S)
        if day > self.day:
            self.day, self.spent = day, Counter()
        return self.spent[principal]


@structs.frozen(kw_only=True)
class QuotaUse:
    """What counts of a principal now: calls of the last minute, those that run, and tokens of this day; None where that cannot be
    told. `principal` is "" for all together."""

    principal: str
    quota: Quota
    calls: int | None
    running: int | None
    tokens: int | None

    def told(self) -> dict[str, Any]:
        """Limits of 0 are none; `left` has those that there are."""
        limits = attrs.asdict(self.quota)
        used = dict(zip(limits, (self.calls, self.running, self.tokens), strict=True))
        left = {
            name: max(0, limits[name] - count)
            for name, count in used.items()
            if limits[name] and count is not None
        }
        return {"quota": limits, "used": used, "left": left}


@structs.define(eq=False)
class Quotas:
    """Of all principals; `tokens_day` is for the whole daemon, 0 for no limit. `clock` never goes back, `now` is the time of day."""

    days: DayTokens
    clock: Callable[[], float]
    now: Callable[[], float]
    tokens_day: int = 0
    rates: SharedRates | None = None
    _limits: dict[str, Quota] = attrs.field(factory=dict[str, Quota])
    _uses: dict[str, Use] = attrs.field(factory=dict[str, Use])

    def tell(self, principal: str, quota: Quota) -> None:
        """This principal has this quota from now on."""
        if quota:
            self._limits[principal] = quota
        else:
            self._limits.pop(principal, None)

    def concerns(self, principal: str) -> bool:
        """Whether anything is limited for it."""
        return bool(self.tokens_day) or principal in self._limits

    def running(self, principal: str) -> int:
        use = self._uses.get(principal)
        return use.running if use is not None else 0

    async def take(self, principal: str) -> Place:
        """A place for one more call, which is counted. Raises OverCapacityError, and then nothing is; StorageError. Cancelled, it may be
        counted, and has no place."""
        limits = self._limits.get(principal, _NONE)
        if limits.tokens_per_day or self.tokens_day:
            await self.days.load(self.now())
            self._check_tokens(principal, limits)
        use = self._uses.setdefault(principal, Use())
        self._check_room(use, limits)
        place = self._placed(use)
        if self.rates is None or not limits.calls_per_minute:
            return place
        with ExitStack() as unless_taken:
            unless_taken.callback(place.give_back)
            wait = await _shared_wait(self.rates, principal, limits.calls_per_minute)
            if wait:
                use.accepted.pop()
                raise _too_often(limits, wait)
            unless_taken.pop_all()
        return place

    def _check_tokens(self, principal: str, limits: Quota) -> None:
        now = self.now()
        left = DAY_S - now % DAY_S
        for whose, most in ((principal, limits.tokens_per_day), (_ALL, self.tokens_day)):
            if most and self.days.of(whose, now) >= most:
                whole = "EXAI_TOKENS_DAY" if whose == _ALL else "tokens a day"
                raise OverCapacityError(
                    f"{most} tokens are spent today, all that may be ({whole}); the day ends at 00:00 UTC",
                    retry_after_s=math.ceil(left),
                    details={"reason": "tokens", "limit": most},
                )

    def _check_room(self, use: Use, limits: Quota) -> None:
        if limits.concurrent and use.running >= limits.concurrent:
            raise OverCapacityError(
                f"{limits.concurrent} calls of yours run, all that may at once; wait for one",
                retry_after_s=_PLACE_S,
                details={"reason": "concurrent", "limit": limits.concurrent},
            )
        wait = use.wait_s(limits.calls_per_minute, self.clock())
        if wait:
            raise _too_often(limits, wait)

    def _placed(self, use: Use) -> Place:
        use.accepted.append(self.clock())
        use.running += 1
        return Place(use)

    def note(self, call: CallEnded) -> None:
        """Count what a call has used, once it has ended."""
        tokens = (call.input_tokens or 0) + (call.output_tokens or 0)
        if tokens:
            self.days.add(call.principal, tokens, self.now())

    async def load(self) -> None:
        """Know what was spent today, where that is limited. Raises StorageError. Cancelling leaves it to the next."""
        if self.tokens_day or any(quota.tokens_per_day for quota in self._limits.values()):
            await self.days.load(self.now())

    def budgets(self) -> tuple[QuotaUse, ...]:
        """As this daemon counts them: of itself first, then of each principal that has a quota here."""
        whole = {_ALL: Quota(tokens_per_day=self.tokens_day)} if self.tokens_day else {}
        return tuple(self._use(name, quota) for name, quota in (whole | self._limits).items())

    def share_spent(self) -> float | None:
        """Of the budget of tokens of which most is spent today; None where there is none, or it is not known yet."""
        shares = [
            budget.tokens / budget.quota.tokens_per_day
            for budget in self.budgets()
            if budget.quota.tokens_per_day and budget.tokens is not None
        ]
        return max(shares, default=None)

    async def use(self, principal: str) -> QuotaUse:
        """What counts of it now. Raises StorageError. Cancelling changes nothing."""
        await self.days.load(self.now())
        here = self._use(principal, self._limits.get(principal, _NONE))
        if self.rates is None:
            return here
        return attrs.evolve(here, calls=await self.rates.counted(principal))

    def _use(self, principal: str, quota: Quota) -> QuotaUse:
        use = self._uses.get(principal) or Use()
        tokens = self.days.of(principal, self.now())
        return QuotaUse(
            principal=principal,
            quota=quota,
            calls=use.counted(self.clock()),
            running=use.running,
            tokens=tokens if tokens >= 0 else None,
        )

    def tokens_left(self, principal: str, spent: int) -> int | None:
        """How many it has left today once `spent` more are counted; None without a limit."""
        limits, now = self._limits.get(principal, _NONE), self.now()
        bounds = ((principal, limits.tokens_per_day), (_ALL, self.tokens_day))
        left = [most - self.days.of(whose, now) - spent for whose, most in bounds if most]
        return max(0, min(left)) if left else None


async def _shared_wait(rates: SharedRates, principal: str, most: int) -> float:
    """Where that cannot be told, the call counts here alone."""
    try:
        return await rates.wait_s(principal, most)
    except StorageError as fault:
        log.debug("calls are counted here alone", extra={"fault": fault.message})
    return 0.0


def _too_often(limits: Quota, wait: float) -> OverCapacityError:
    most = limits.calls_per_minute
    return OverCapacityError(
        f"{most} calls a minute are yours; try again in {wait:.1f} s",
        retry_after_s=math.ceil(wait * 10) / 10,
        details={"reason": "rate", "limit": most},
    )
