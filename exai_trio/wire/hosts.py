"""The rule for Host and Origin: which requests may talk to our ports. Pure: no trio, no clock, no I/O.

A page of another site can make a browser connect to us, by its own name (Origin) or under a name of its own that points here
(Host); neither may talk to us.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from exai_trio import structs
from exai_trio.config import Config, bracketed

Headers = Sequence[tuple[bytes, bytes]]

BAD_REQUEST, FORBIDDEN, NOT_FOUND = 400, 403, 404
# The names of this machine, by the standards.
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_SHOWN: Final = 80  # characters of a refused name in a message
_AUTHORITY = re.compile(
    r"(?:\[(?P<address>[0-9a-f:.]{2,45})(?:%[0-9a-z%._-]{1,40})?\]|(?P<name>[0-9a-z._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_WITH_DEFAULT_PORT = re.compile(r"(http://[^/]+):80|(https://[^/]+):443")
# The last that TCP has.
_LAST_PORT = 65535


@structs.frozen
class Refusal:
    """The HTTP status and what is wrong, in ASCII."""

    status: int
    text: str


@structs.frozen
class OurNames:
    """The hosts under which we may be addressed, as `host_of` gives them; the pages that may do so; and the ports of our own
    pages, which may do so under each of our names."""

    names: frozenset[str]
    origins: frozenset[str] = frozenset()
    page_ports: tuple[int, ...] = ()

    @classmethod
    def of(cls, config: Config, *addresses: str) -> "OurNames":
        """`addresses` are those that are listened on. Hosts of allowed origins are ours too."""
        origins = frozenset(map(_plain_origin, config.allowed_origins))
        named = {host_of(origin.partition("://")[2]) for origin in origins}
        given = {plain_host(name) for name in (config.ws_host, *config.allowed_hosts, *addresses)}
        # audit: host, because it is compared, not bound
        names = frozenset((named | given | set(_HERE)) - {"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound
        # A page of the port of MCP is a page of ours, though there is none.
        pages = (config.monitoring_port, config.incidents_port, config.health_check_port)
        ports = (*pages, config.mcp_port)
        return cls(names, origins, tuple(port for port in ports if port))

    def refusal(self, headers: Headers, arrived_at: str = "") -> Refusal | None:
        """Why a request with these headers (names in lower case) is refused, or None. `arrived_at` is the address of ours that
        its connection came in on, which is one of our names for it."""
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value for name, value in headers if name == b"origin"]
        names = self.names | {plain_host(arrived_at)} if arrived_at else self.names
        return _wrong_host(hosts, names) or self._wrong_origin(origins, names)

    def _wrong_origin(self, given: list[bytes], names: frozenset[str]) -> Refusal | None:
        if len(given) > 1:
            return Refusal(FORBIDDEN, "more than one Origin")
        origin = _plain_origin(given[0].decode("latin-1")) if given else ""
        if not origin or origin in self.origins or origin in self._pages(names):
            return None
        return Refusal(FORBIDDEN, "this Origin is not allowed (EXAI_ALLOWED_ORIGINS)")

    def _pages(self, names: frozenset[str]) -> set[str]:
        return {
            _plain_origin(f"http://{bracketed(name)}:{port}")
            for name in names
            for port in self.page_ports
        }


def _wrong_host(given: list[bytes], names: frozenset[str]) -> Refusal | None:
    if len(given) > 1:
        return Refusal(BAD_REQUEST, "more than one Host")
    host = given[0] if given else b""
    if not host.isascii():
        return Refusal(BAD_REQUEST, "the Host is not ASCII")
    if host_of(host.decode()) in names:
        return None
    shown = host[:_SHOWN].decode().encode("unicode_escape").decode()
    return Refusal(
        FORBIDDEN,
        f"Host '{shown}' is not ours; if the daemon is to be reached by that name, add it to EXAI_ALLOWED_HOSTS",
    )


def host_of(authority: str) -> str:
    """The host of `host` or `host:port`, as `plain_host` writes it; "" unless the text is that and nothing else."""
    found = _AUTHORITY.fullmatch(authority.lower())
    if found is None or not 1 <= int(found["port"] or 1) <= _LAST_PORT:
        return ""
    if found["address"]:
        return plain_host(found["address"])
    name: str = found["name"]
    return name


@lru_cache(64)  # of the address that each request came in on
def plain_host(host: str) -> str:
    """A host in one spelling: lower case, addresses as short as they can be, without a zone, IPv4 not inside IPv6."""
    plain = host.lower().removeprefix("[").removesuffix("]")
    try:
        address = ip_address(plain.partition("%")[0])
    except ValueError:
        return plain
    return str(getattr(address, "ipv4_mapped", None) or address)


def _plain_origin(origin: str) -> str:
    """In lower case, without the port that a browser leaves out, and without a slash at the end."""
    plain = origin.lower().removesuffix("/")
    found = _WITH_DEFAULT_PORT.fullmatch(plain)
    return plain if found is None else found[1] or found[2]
