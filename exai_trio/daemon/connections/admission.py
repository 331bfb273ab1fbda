"""Who gets a connection at all: how many there are, and from where. Pure: no trio, no clock, no I/O."""

from collections import Counter
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address

import attrs

from exai_trio import structs
from exai_trio.config import Config, is_loopback
from exai_trio.resilience.rate import Buckets
from exai_trio.transport.trusted_proxies import TrustedProxies

from .rate_limits import CONNECTION_COST, Origin, rate_of_address


@structs.define
class Admission:
    """How many connections there are, in all and by address, and how often an address comes and asks.

    The IPv6 addresses of one /64 count as one address: a single machine can have them all.
    """

    config: Config
    total: int = 0
    by_address: Counter[str] = attrs.field(factory=Counter[str])
    addresses: Buckets = attrs.Factory(
        lambda self: Buckets(rate_of_address(self.config)), takes_self=True
    )

    proxies: TrustedProxies = attrs.Factory(
        lambda self: TrustedProxies.of(self.config.trusted_proxies), takes_self=True
    )

    def origin(self, address: str) -> Origin | None:
        """None for this machine's own addresses and for trusted proxies', which are not limited."""
        source = _source_of(address)
        if is_loopback(source) or self.proxies.has(address):
            return None
        return Origin(source, self.addresses)

    def take(self, address: str, now: float) -> str | None:
        """Count a connection in; or the name of the limit that it would break, and it has no place."""
        if self.total >= self.config.max_connections:
            return "MAX_CONNECTIONS"
        origin = self.origin(address)
        if origin is not None:
            if origin.wait_s(now, CONNECTION_COST):
                return "rate of MAX_CONNECTIONS_PER_IP"
            if self.by_address[origin.address] >= self.config.max_connections_per_ip:
                return "MAX_CONNECTIONS_PER_IP"
        self._count(address)
        return None

    def move(self, held: str, address: str, now: float) -> str | None:
        """Count a connection in that was counted as another address's; or the name of the limit that it would break, and it is counted as
        before."""
        self.give_back(held)
        limit = self.take(address, now)
        if limit is not None:
            self._count(held)
        return limit

    def _count(self, address: str) -> None:
        self.total += 1
        self.by_address[_source_of(address)] += 1

    def give_back(self, address: str) -> None:
        source = _source_of(address)
        self.total -= 1
        self.by_address[source] -= 1
        if not self.by_address[source]:
            del self.by_address[source]


@lru_cache(256)  # of the address of each connection
def _source_of(address: str) -> str:
    """What an address is counted as: IPv6 its /64, IPv4 in IPv6 that IPv4; loopback and names are what they are."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address) or parsed.is_loopback:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), 64), strict=False))
