"""Whose connection it is: the peer's own or, where the peer is a proxy that is trusted, that of whom it speaks for.

A trusted proxy says so before the first byte of a connection (the PROXY protocol) or in each request (the last address of
X-Forwarded-For). Nobody else is asked, and what a trusted one has passed on is never of this machine.
"""

import logging
import socket
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, cast

import attrs
import trio

from exai_trio import structs
from exai_trio.config import is_loopback

from .http_connection import AsgiApp
from .proxy_header import MOST_BYTES, ProxyHeaderError, client_address, proxy_header

log = logging.getLogger("exai.server")

_THIS_MACHINE: Final = "localhost"  # a socket file has no other address
_HEAD_S: Final = 5.0
_PASSED_ON_FOR: Final = b"x-forwarded-for"
_VIA: Final = (b"via", b"1.1 a trusted proxy")  # as a proxy has to say itself


@structs.frozen
class Client:
    """Who is at the other end of a connection. `by_proxy`: a trusted proxy is, and speaks for this address."""

    address: str
    by_proxy: bool = False

    @property
    def is_near(self) -> bool:
        return not self.by_proxy and is_loopback(self.address)


@structs.frozen
class TrustedProxies:
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, named: Iterable[str]) -> "TrustedProxies":
        """Raises ValueError for what is no address and no network."""
        return cls(tuple(ip_network(each) for each in named))

    def has(self, address: str) -> bool:
        if not self.networks:
            return False
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:  # audit: empty-handler, because a name is no proxy's address
            return False
        plain = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(plain in network for network in self.networks)

    async def client_of(self, stream: trio.abc.Stream) -> Client | None:
        """Whose connection this is; what says so is read off it. None if a trusted proxy does not say, which is logged. Cancelling may
        leave a part of that unread."""
        address = peer_of(stream)
        if not isinstance(stream, trio.SocketStream) or not self.has(address):
            return Client(address)
        try:
            told = await _told(stream.socket)
        except ProxyHeaderError as fault:
            log.warning(
                "a PROXY header is not understood", extra={"from": address, "fault": str(fault)}
            )
        except (trio.TooSlowError, OSError) as fault:  # it was silent, or is gone
            log.debug("a trusted proxy says nothing", extra={"from": address, "fault": repr(fault)})
        else:
            return Client(told or address, by_proxy=True)
        return None

    def behind(self, client: Client, headers: Iterable[tuple[bytes, bytes]]) -> Client:
        """The client of one request, whose header names are in lower case. What is no address is not believed."""
        if not (client.by_proxy and self.has(client.address)):
            return client
        said = [value for name, value in headers if name == _PASSED_ON_FOR]
        try:
            last = client_address(said[-1].rpartition(b",")[2].strip() if said else b"")
            return attrs.evolve(client, address=str(last))
        except ProxyHeaderError as fault:
            log.debug("X-Forwarded-For is not believed", extra={"why": str(fault)})
            return client

    def application(self, app: AsgiApp, client: Client) -> AsgiApp:
        """The same, which sees whose request it is on a connection of this client."""
        if not client.by_proxy:
            return app

        async def behind_proxy(scope: dict[str, Any], receive: Any, send: Any) -> None:
            headers = scope["headers"]
            address = self.behind(client, headers).address
            await app({**scope, "client": (address, 0), "headers": [*headers, _VIA]}, receive, send)

        return behind_proxy


async def _told(connection: trio.socket.SocketType) -> str | None:
    """The address in the header that it begins with. Raises ProxyHeaderError, trio.TooSlowError, OSError."""
    with trio.fail_after(_HEAD_S):
        header = proxy_header(await connection.recv(MOST_BYTES, socket.MSG_PEEK))
        if header is None:
            return None
        await connection.recv(header.length)
        return header.address


def peer_of(stream: trio.abc.Stream) -> str:
    """The address of the other end itself; that of this machine for a stream that has none."""
    if not isinstance(stream, trio.SocketStream):
        return _THIS_MACHINE
    try:
        peer: object = stream.socket.getpeername()
    except OSError:  # audit: empty-handler, because "gone" is the answer
        return "gone"
    return str(cast("tuple[object, ...]", peer)[0]) if isinstance(peer, tuple) else _THIS_MACHINE
