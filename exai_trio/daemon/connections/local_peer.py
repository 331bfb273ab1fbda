"""Whether a connection is of the daemon's own user: from this machine, from a process of that user, and by no proxy.

A proxy speaks for others; what it adds to a request (Forwarded, X-Forwarded-For, Via …) gives it away.
"""

import logging
import os
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.transport.peer_identity import Ends
from exai_trio.transport.trusted_proxies import Client
from exai_trio.transport.websocket import Handshake

log = logging.getLogger("exai.server")

_ADDED: Final = frozenset(
    {
        "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for", "true-client-ip",
        "cf-connecting-ip", "cf-ray", "fastly-client-ip", "fly-client-ip", "x-envoy-external-address", "x-azure-clientip",
        "x-appengine-user-ip", "tailscale-user-login", "remote-addr", "client-ip", "wl-proxy-client-ip", "proxy-client-ip",
    }
)  # fmt: skip
_MOST_LOOKS: Final = 2  # at the kernel's tables at once

Objection = TypeVar("Objection")


def is_forwarded(names: Iterable[str]) -> bool:
    """Whether there is a header among these that a proxy has added; names are in lower case."""
    return any(name in _ADDED or name.startswith("x-forwarded") for name in names)


@structs.define(eq=False)
class LocalPeers:
    """Finds out about connections. A look takes some milliseconds of a thread, and longer the more sockets there are."""

    _looks: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_MOST_LOOKS))

    async def is_owner(self, peer: "Peer") -> bool:
        """Whether it is the daemon's own user. Cancelling leaves a look to its thread, which then ends by itself."""
        ends = Ends.of(peer.stream)
        if peer.forwarded or (ends is not None and not ends.on_loopback):
            return False
        if ends is None:
            return True
        uid = await trio.to_thread.run_sync(ends.uid, abandon_on_cancel=True, limiter=self._looks)
        if uid != os.geteuid():
            log.info("not our own user", extra={"uid": uid})
        return uid == os.geteuid()


@structs.define(eq=False)
class Peer:
    """One connection's other end. `forwarded` and `path` are known once its handshake was seen; `client` may be another one then."""

    stream: trio.abc.Stream
    forwarded: bool = False
    path: str = "/"
    client: Client = Client("")

    def seen_by(self, admit: Callable[[Handshake], Objection]) -> Callable[[Handshake], Objection]:
        """The same rule for handshakes, which also notes here what the handshake says of its sender."""

        def seen(handshake: Handshake) -> Objection:
            self.forwarded = self.client.by_proxy or is_forwarded(handshake.headers)
            self.path = handshake.path.partition("?")[0]
            return admit(handshake)

        return seen
