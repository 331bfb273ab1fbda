"""The accept loop, and the life of one connection from TCP to its end."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.bus.message_bus import MessageBus
from exai_trio.errors import StorageError
from exai_trio.observability import events
from exai_trio.observability.events import ConnectionClosed, ConnectionOpened
from exai_trio.system.open_files import is_scarce
from exai_trio.transport.websocket import (
    POLICY,
    SERVICE_RESTART,
    Handshake,
    Limits,
    PeerGone,
    WebSocket,
    accept,
)
from exai_trio.wire.codec import encode
from exai_trio.wire.hosts import NOT_FOUND, OurNames, Refusal
from exai_trio.wire.messages import Bye, Hello

from ..context import DaemonContext
from ..delivery.outbox import Farewell, Outbox
from ..sessions.session_registry import Sessions
from .admission import Admission
from .auth import Authentication
from .connection import Connection
from .handshake import (
    UNAUTHORIZED,
    HelloRefused,
    hello_ack,
    rated,
    receive_hello,
    refuse,
    refuse_for_now,
)
from .identity import Identity
from .listening import PacedListener
from .local_peer import Peer
from .payload_transfers import PayloadTransfers
from .rate_limits import RateLimits, RefusalRates
from .requests import Requests

log = logging.getLogger("exai.server")

Endpoint = Callable[[WebSocket, str], Awaitable[None]]
"""Serves a client of another path, whose address it is given, to its end."""

TERMINAL: Final = "/terminal"  # a path of ours, also while nobody serves it
_NO_FILES = "open files: ulimit -n"
_HEAD_S = 5.0  # for the head of a handshake
_READ_AGAIN_S = 1.0
_MOST_DELAY_S = 1.0
_TOO_MANY = 429
_MOST_REFUSALS = 32  # connections without a place that are told so at once


@structs.frozen(kw_only=True, eq=False)
class Server:
    """Takes connections in. `names` are the hosts that are ours; `endpoints` serve paths of their own."""

    context: DaemonContext
    sessions: Sessions
    auth: Authentication
    requests: Requests
    names: OurNames
    admission: Admission
    limits: Limits
    bus: MessageBus | None = None
    endpoints: Mapping[str, Endpoint] = attrs.field(factory=dict[str, Endpoint])
    refusals: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(_MOST_REFUSALS)
    )

    delays: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_MOST_REFUSALS))
    refusal_rates: RefusalRates = attrs.field(factory=lambda: RefusalRates(trio.current_time))

    def __repr__(self) -> str:
        state = "draining" if self.context.shutdown.draining else "open"
        return f"<Server {state} connections={self.admission.total} refusing={self.refusals.borrowed_tokens}>"

    async def listen(
        self,
        listeners: list[trio.SocketListener],
        connections: trio.Nursery,
        task_status: trio.TaskStatus[None],
    ) -> None:
        """Accept until cancelled, which leaves the listeners open. Connections live on in `connections`, which its owner ends."""
        serving = partial(trio.serve_listeners, handler_nursery=connections)
        async with trio.open_nursery() as accepting:
            paced = [PacedListener(each) for each in listeners]
            await accepting.start(serving, self.serve, paced)
            task_status.started()

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection, to its end. Raises nothing but Cancelled: a connection never takes a neighbour down. Cancelling cuts it; its
        place is free then, and its session goes on."""
        try:
            client = await self.admission.proxies.client_of(stream)
            if client is not None:
                await self._serve(stream, Peer(stream, client=client))
        except PeerGone as gone:
            log.debug("connection ended", extra={"reason": str(gone)})
        except Exception:
            log.exception("connection crashed")

    async def _serve(self, stream: trio.abc.Stream, peer: Peer) -> None:
        scarce = is_scarce(stream, "client")
        now = trio.current_time()
        limit = _NO_FILES if scarce else self.admission.take(peer.client.address, now)
        try:
            if limit is None:
                await self._shake_hands(stream, peer)
            else:
                self.context.events.publish(events.ConnectionRefused(limit=limit))
                await self._turn_away(stream, limit)
        finally:
            if limit is None:
                self.admission.give_back(peer.client.address)

    async def _shake_hands(self, stream: trio.abc.Stream, peer: Peer) -> None:
        patience = min(_HEAD_S, self.context.config.ws_hello_timeout)
        opening = trio.CancelScope(deadline=trio.current_time() + patience)
        admit = peer.seen_by(partial(self._refusal_of, peer))
        with opening:
            async with accept(stream, self.limits, admit) as socket:
                opening.deadline = float("inf")
                await self._welcome(socket, peer.client.address, peer)

    async def _turn_away(self, stream: trio.abc.Stream, limit: str) -> None:
        """Say why, if the peer lets us within EXAI_WS_CLOSE_TIMEOUT and few others are being told; else just end it: a
        connection without a place costs nothing for long."""
        if is_scarce(stream, "refusal") or not self.refusals.available_tokens:
            await trio.aclose_forcefully(stream)
            return
        async with self.refusals:
            with trio.move_on_after(self.limits.close_s):
                async with accept(stream, self.limits, partial(self._refusal, stream)) as socket:
                    await socket.close(POLICY, f"too many connections ({limit})")

    def _refusal(self, stream: trio.abc.Stream, handshake: Handshake) -> Refusal | None:
        refusal = self.names.refusal(handshake.raw, _arrived_at(stream))
        if (
            refusal is None
            and handshake.path.partition("?")[0] in {TERMINAL} - self.endpoints.keys()
        ):
            return Refusal(
                NOT_FOUND, "terminals are switched off; EXAI_TERMINALS=true switches them on"
            )
        return refusal

    def _refusal_of(self, peer: Peer, handshake: Handshake) -> Refusal | None:
        """Whoever is behind a proxy that speaks HTTP is counted from here on, and the proxy no more."""
        refusal = self._refusal(peer.stream, handshake)
        client = self.admission.proxies.behind(peer.client, handshake.raw)
        if refusal is not None or client == peer.client:
            return refusal
        now = trio.current_time()
        limit = self.admission.move(peer.client.address, client.address, now)
        if limit is None:
            peer.client = client
            return None
        self.context.events.publish(events.ConnectionRefused(limit=limit))
        return Refusal(_TOO_MANY, f"too many connections ({limit})")

    async def _welcome(self, socket: WebSocket, address: str, peer: Peer) -> None:
        """Hear the hello, and serve the client in its session or tell it why not. Raises PeerGone."""
        config, shutdown = self.context.config, self.context.shutdown
        if shutdown.draining:
            await refuse_for_now(socket, "draining", shutdown.retry_after_s)
            return
        endpoint = self.endpoints.get(peer.path)
        if endpoint is not None:
            await self._counted(
                endpoint(socket, address), ConnectionOpened(kind="terminal", address=address)
            )
            return
        try:
            said = await receive_hello(socket, config.ws_hello_timeout, self.auth, peer, address)
        except HelloRefused as refusal:
            refused = refusal.with_traceback(None)  # which holds this frame, and so the connection
        else:
            connection = await self._join(socket, address, *said)
            if connection is None:
                await refuse_for_now(socket, "the journal cannot be read", _READ_AGAIN_S)
            else:
                await self._converse(connection, said[0], address)
            return
        await self._refuse(socket, refused, address)

    async def _refuse(self, socket: WebSocket, refused: HelloRefused, address: str) -> None:
        """Tell a client why it is not let in; later, and in fewer words, where many are not."""
        self.context.events.publish(events.HelloRefused(error=refused.error))
        if refused.code != UNAUTHORIZED:
            log.info("hello refused", extra={"error": refused.error})
            await self._part(socket, refused)
            return
        self.auth.note_refusal(address)
        wait_s = self.refusal_rates.wait_s(self.admission.origin(address))
        if not wait_s:
            log.info("hello refused", extra={"error": refused.error})
        elif self.delays.available_tokens:
            async with self.delays:
                await trio.sleep(min(wait_s, _MOST_DELAY_S))
        await self._part(socket, rated(refused, wait_s))

    async def _part(self, socket: WebSocket, refused: HelloRefused) -> None:
        """A few are waited for until they have heard it; those that never hang up must not fill the house."""
        if not self.refusals.available_tokens:
            await refuse(socket, refused, within_s=0.0)
            return
        async with self.refusals:
            await refuse(socket, refused)

    async def _join(
        self, socket: WebSocket, address: str, hello: Hello, identity: Identity
    ) -> Connection | None:
        """The connection of this client to its session; None while that cannot be looked up."""
        outbox, context = Outbox(), self.context
        try:
            session, resumed = await self.sessions.join(hello, identity.principal, outbox)
        except StorageError:
            # audit: empty-handler, because the store has logged it, and the client is told by the caller
            return None
        self.auth.note_hello(identity, address)
        server, protocol = self.requests.report.server_facts(), hello.protocol
        outbox.put_first(hello_ack(context.config, server, session.id, protocol, resumed=resumed))
        rates = RateLimits(session.requests, self.admission.origin(address), trio.current_time)
        if context.shutdown.draining:  # too late for the goodbye that all others were told
            retry_after_s = context.shutdown.retry_after_s
            outbox.put(encode(Bye(reason="draining", retry_after_s=retry_after_s)))
            outbox.close(Farewell(SERVICE_RESTART, "draining"))
        transfers = PayloadTransfers(self.bus, session.principal, outbox)
        return Connection(
            socket, session, outbox, context, self.requests, rates, transfers, identity
        )

    async def _converse(self, connection: Connection, hello: Hello, address: str) -> None:
        log.debug("connected", extra={"connection": repr(connection)})
        session = connection.session
        opened = ConnectionOpened(
            kind="session",
            session=session.id,
            principal=session.principal,
            client=hello.client_name or "",
            version=hello.client_version or "",
            address=address,
        )
        await self._counted(connection.converse(), opened, connection.outbox)

    async def _counted(
        self, conversation: Awaitable[None], opened: ConnectionOpened, box: Outbox | None = None
    ) -> None:
        publish, began = self.context.events.publish, trio.current_time()
        publish(opened)
        try:
            await conversation
        finally:
            farewell = box.farewell if box else None
            closed = ConnectionClosed(
                kind=opened.kind,
                session=opened.session,
                duration_s=trio.current_time() - began,
                reason=farewell.reason if farewell else "",
            )
            publish(closed)


def _arrived_at(stream: trio.abc.Stream) -> str:
    """The address of ours that a connection came in on."""
    if not isinstance(stream, trio.SocketStream):
        return ""
    try:
        return str(stream.socket.getsockname()[0])
    except OSError:  # audit: empty-handler, because a socket that is gone came in nowhere
        return ""
