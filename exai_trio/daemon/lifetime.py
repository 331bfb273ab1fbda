"""A running daemon's tree of nurseries, from its signals down to its connections, and the way it ends. What it consists
of is built by `app`.
"""

import logging
import signal
from collections.abc import Callable
from importlib import import_module

import trio

from exai_trio import __version__, structs
from exai_trio.config import bracketed
from exai_trio.errors import StorageError
from exai_trio.providers.gateway import Gateway
from exai_trio.system import garbage_collector
from exai_trio.transport.websocket import Limits
from exai_trio.wire.hosts import OurNames

from .calls.lifecycle import Calls
from .connections.accept import Server
from .connections.admission import Places
from .context import Shared
from .drain import drain
from .jobs.jobs import Jobs
from .live_registry import Toolset
from .reload import Reread, Switching
from .sessions.registry import Sessions
from .sessions.session import Session
from .takeover.messages import closing
from .takeover.predecessor import Elsewhere
from .takeover.sockets import offer
from .takeover.successor import Heir

log = logging.getLogger("exai.daemon")

_CLOSE_S = 0.5  # for the last goodbyes of one that was replaced
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@structs.frozen(kw_only=True)
class Addresses:
    """Where the daemon serves; None where it does not."""

    websocket: str
    health: str | None
    monitoring: str | None
    simulator: str | None


@structs.frozen(eq=False)
class Parts:
    """What `serve` has opened; `sessions` is their table, by id; `let_go` gives EXAI_HOME to a successor."""

    shared: Shared
    calls: Calls
    sessions: dict[str, Session]
    listeners: list[trio.SocketListener]
    reread: Reread | None
    elsewhere: Elsewhere | None
    let_go: Callable[[], None]


async def run(  # noqa: ASYNC128 - hands task_status on
    parts: Parts, task_status: trio.TaskStatus[Addresses]
) -> None:
    ending = parts.shared.ending
    async with trio.open_nursery() as app:
        await app.start(_watch_signals, ending.stop, app.cancel_scope)
        async with trio.open_nursery() as living:
            await app.start(parts.calls.run)
            sessions = Sessions(
                parts.shared, living, parts.calls, parts.elsewhere, table=parts.sessions
            )
            await _restore(sessions)
            if parts.elsewhere is not None:
                app.start_soon(parts.elsewhere.run)
            async with trio.open_nursery() as connections:
                await _serve_until_stopped(parts, sessions, connections, task_status)
                if ending.successor is not None:
                    async with closing(ending.successor):
                        await Heir(sessions, ending.successor).take_all(parts.let_go)
                    connections.cancel_scope.deadline = trio.current_time() + _CLOSE_S
            living.cancel_scope.cancel(reason="the daemon is stopping")
        app.cancel_scope.cancel(reason="the daemon has drained")


async def _serve_until_stopped(
    parts: Parts,
    sessions: Sessions,
    connections: trio.Nursery,
    task_status: trio.TaskStatus[Addresses],
) -> None:
    """Returns when the daemon has drained; or, if it is replaced, when it holds no port and no file of the home but the
    database."""
    shared, listeners, ending = parts.shared, parts.listeners, parts.shared.ending
    async with trio.open_nursery() as tending:
        if parts.reread is not None:
            await tending.start(_watch_hangups, sessions, parts.reread)
        tending.start_soon(Jobs(shared, sessions).run)
        async with trio.open_nursery() as listening:
            server = _server(shared, sessions, listeners)
            await listening.start(server.listen, listeners, connections)
            await listening.start(offer, listeners, shared.config, ending)
            task_status.started(await _open_http(tending, shared, server.names))
            tending.start_soon(settle, shared.services.gateway)
            await ending.stop.wait()
            listening.cancel_scope.cancel(reason="the daemon is stopping")
        if not ending.replaced:
            await drain(shared, sessions, connections)
        tending.cancel_scope.cancel(reason="the daemon is stopping")


async def settle(gateway: Gateway) -> None:
    """What the first calls would otherwise pay for, now that the daemon serves. Without it they pay."""
    try:
        await gateway.warm_up()
        garbage_collector.settle()
    except Exception:
        log.exception("not warmed up")


async def _restore(sessions: Sessions) -> None:
    """What earlier daemons left open is taken up before anybody can ask for it."""
    try:
        await sessions.restore()
    except StorageError as fault:
        log.error("journal not read; it is tried again", extra={"fault": fault.message})  # noqa: TRY400 - the fault says it all


def _server(shared: Shared, sessions: Sessions, listeners: list[trio.SocketListener]) -> Server:
    config = shared.config
    limits = Limits(
        max_bytes=config.ws_max_bytes,
        send_s=config.ws_ping_timeout,
        close_s=config.ws_close_timeout,
    )
    addresses = [str(listener.socket.getsockname()[0]) for listener in listeners]
    return Server(shared, sessions, OurNames.of(config, *addresses), Places(config), limits)


async def _open_http(tending: trio.Nursery, shared: Shared, names: OurNames) -> Addresses:
    """Load the HTTP side beside the event loop, now that the WebSocket listens, and start it in `tending`."""
    config, facts = shared.config, shared.facts
    health = monitoring = None
    if config.health_check_port or config.monitoring_port:
        http = await trio.to_thread.run_sync(import_module, "exai_trio.daemon.http.site")
        gates = (facts, names, shared.tokens)
        if config.health_check_port:
            health = await tending.start(http.serve_health, *gates, config.health_check_port)
        if config.monitoring_port:
            monitoring = await tending.start(http.serve_pages, *gates, config.monitoring_port)
    websocket = f"ws://{bracketed(config.ws_host)}:{facts.port}/"
    log.info("serving", extra={"websocket": websocket, "version": __version__})
    return Addresses(
        websocket=websocket, health=health, monitoring=monitoring, simulator=facts.simulator
    )


async def _watch_signals(
    stop: trio.Event, everything: trio.CancelScope, task_status: trio.TaskStatus[None]
) -> None:
    with trio.open_signal_receiver(*_STOP_SIGNALS) as signals:
        task_status.started()
        seen = 0
        async for number in signals:
            seen += 1
            if seen > 1:
                log.warning("cut by a second signal", extra={"signal": number})
                everything.cancel(reason="a second signal")
                return
            log.info("stopping", extra={"signal": number})
            stop.set()


async def _watch_hangups(
    sessions: Sessions, reread: Reread, task_status: trio.TaskStatus[None]
) -> None:
    shared = sessions.shared
    assert isinstance(shared.registry, Toolset)  # noqa: S101 - built above
    switching = Switching(shared.config, shared.registry, sessions)
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            await switching.read_again(reread)
