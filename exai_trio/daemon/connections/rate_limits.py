"""How often a client may ask: what is too much of its calls, and of its frames. Pure: no trio, no clock, no I/O.

Calls and other requests over a rate are refused. Pings, acks and cancels never are: over the rate of frames, which counts
everything, the connection is read more slowly.
"""

import math
from collections.abc import Callable
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import OverCapacityError
from exai_trio.resilience.rate import Bucket, Buckets, Rate

FRAMES: Final = Rate(per_s=10_000, burst=20_000)  # of one connection: a call and its ack each
REFUSALS: Final = Rate(per_s=2, burst=20)  # of one address; loopback is one
CONNECTION_COST: Final = 10.0  # requests: a handshake is dearer than a call
_PER_CONNECTION_S: Final = 100.0
_BURST_S: Final = 2.0
_LEAST_WAIT_S: Final = 0.1
_FRAMES_A_TURN: Final = (
    10  # what fifty connections bring at once must not keep running calls from their turn
)


def rate_of_address(config: Config) -> Rate:
    """What the connections that one address may have are thought to need together."""
    per_s = _PER_CONNECTION_S * config.max_connections_per_ip
    return Rate(per_s=per_s, burst=_BURST_S * per_s)


@structs.frozen(eq=False)
class Origin:
    """Another machine's address, and what it has left."""

    address: str
    addresses: Buckets

    def wait_s(self, now: float, cost: float = 1.0) -> float:
        """Seconds until `cost` is there; 0 if it was, and is taken."""
        bucket = self.addresses.of(self.address, now)
        wait = bucket.wait_s(now, cost)
        if not wait:
            bucket.take(now, cost)
        return wait


@structs.frozen(eq=False)
class RefusalRates:
    """How many hellos of an address may be refused; a good one is never counted, and always heard."""

    clock: Callable[[], float]
    _addresses: Buckets = attrs.field(factory=lambda: Buckets(REFUSALS))

    def wait_s(self, origin: Origin | None) -> float:
        """Count a refusal. 0, or seconds after which another try is worth it."""
        now = self.clock()
        bucket = self._addresses.of(origin.address if origin else "", now)
        wait = bucket.wait_s(now)
        if not wait:
            bucket.take(now)
        return wait


@structs.define(eq=False)
class RateLimits:
    """Of one connection. `requests` is its session's, which outlives it; `origin` is None on this machine."""

    requests: Bucket
    origin: Origin | None
    clock: Callable[[], float]
    frames: Bucket = attrs.field(factory=lambda: Bucket(FRAMES))
    _turn: int = 0

    def objection(self) -> OverCapacityError | None:
        """Count a request; or why it must be refused, and nothing is counted."""
        now = self.clock()
        wait = self.requests.wait_s(now)
        if wait:
            return _too_often("session_rate", self.requests.rate, wait)
        if self.origin is not None:
            wait = self.origin.wait_s(now)
            if wait:
                return _too_often("address_rate", self.origin.addresses.rate, wait)
        self.requests.take(now)
        return None

    def pause_s(self) -> float | None:
        """Count a frame. Seconds for which the next one is to be left unread: 0.0 lets the others have their turn."""
        self._turn += 1
        now = self.clock()
        self.frames.take(now)
        return self.frames.wait_s(now, 0.0) or (None if self._turn % _FRAMES_A_TURN else 0.0)


def _too_often(limit: str, rate: Rate, wait: float) -> OverCapacityError:
    whose = "session" if limit == "session_rate" else "address"
    return OverCapacityError(
        f"too many requests from this {whose}: {rate.per_s:g} a second are taken, {rate.burst:g} at once",
        retry_after_s=max(_LEAST_WAIT_S, math.ceil(wait * 10) / 10),
        details={"limit": limit, "per_s": rate.per_s, "burst": rate.burst},
    )
