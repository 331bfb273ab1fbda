"""The daemon's composition root: builds everything once, owns the signals, and is the tree of nurseries."""

import logging
import secrets
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module

import attrs
import trio

from exai_trio import __version__
from exai_trio.config import Config, bracketed
from exai_trio.errors import StorageError
from exai_trio.observability import collector
from exai_trio.observability.clock import unix_now
from exai_trio.observability.logs import open_logs
from exai_trio.observability.metrics import CallLog
from exai_trio.observability.watchdog import Watchdog, watching
from exai_trio.providers.gateway import Gateway, open_gateway
from exai_trio.storage.ratios import SqliteRatios
from exai_trio.storage.sqlite import SqliteStore, open_sqlite
from exai_trio.storage.threads import SqliteThreads
from exai_trio.storage.uploads import SqliteUploads
from exai_trio.tools.calibration import Calibration
from exai_trio.tools.declaration import Services
from exai_trio.tools.registry import Registry
from exai_trio.tools.upload_desk import UploadDesk
from exai_trio.transport.websocket import Limits

from .admission import OurNames, Places
from .archive import Archive
from .bequest import closing
from .drain import drain
from .elsewhere import Elsewhere
from .facts import Facts
from .figures import Figures
from .handover import offer, take_over
from .heir import Heir
from .home import own_home, pid_file, wait_free
from .jobs import Jobs
from .server import Server, bind
from .session import Session
from .sessions import Sessions
from .simulated import simulator
from .state import Shared
from .switching import Reread, Switching
from .tokens import Tokens
from .toolset import Toolset

log = logging.getLogger("exai.daemon")

_LEAVE_S = 10.0  # for a daemon that we replace, beyond its drain
_CLOSE_S = 0.5  # for the last goodbyes of one that was replaced
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@attrs.frozen(kw_only=True)
class Addresses:
    """Where the daemon serves; None where it does not."""

    websocket: str
    health: str | None
    monitoring: str | None
    simulator: str | None


async def serve(  # noqa: ASYNC128 - hands task_status on
    config: Config,
    reread: Reread | None = None,
    *,
    replace: bool = False,
    task_status: trio.TaskStatus[Addresses] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the daemon until SIGTERM or SIGINT; the second signal cuts at once. Reports its addresses once it serves.
    SIGHUP reads the settings of the tools again, by `reread`.

    With `replace` a daemon that serves this home hands its sockets over first; the calls that run in it end there, and are
    answered from here.

    Raises ServiceUnavailableError if the port or EXAI_HOME is taken, StorageError if the home cannot be used; then nothing
    of a running daemon's was touched. Cancelling cuts all calls; their permits and sockets are free afterwards.
    """
    async with AsyncExitStack() as stack:
        # What needs no home is there before a daemon that serves is asked to leave it.
        outside = await stack.enter_async_context(_outside(config)) if replace else None
        taken = await take_over(config) if replace else None
        listeners = taken.listeners if taken else await bind(config)
        for listener in listeners:
            stack.push_async_callback(listener.aclose)
        elsewhere = Elsewhere(taken.stream) if taken else None
        if elsewhere:
            await stack.enter_async_context(closing(elsewhere.stream))
            await elsewhere.wait_left()
            await wait_free(config, config.drain_s + _LEAVE_S)
        let_go = stack.enter_context(own_home(config))
        stack.enter_context(open_logs(config, "ws_daemon"))
        shared = await stack.enter_async_context(_build(config, _port(listeners), outside))
        stack.enter_context(pid_file(config))
        stack.enter_context(watching(Watchdog()))
        await _run(_Parts(shared, listeners, reread, elsewhere, let_go), task_status)
        await trio.to_thread.run_sync(shared.flush_logs)
        log.info("stopped")


@attrs.frozen
class _Outside:
    """The way to the models; the origin is of the simulator in our own process, if there is one."""

    origin: str | None
    gateway: Gateway


@asynccontextmanager
async def _outside(config: Config) -> AsyncGenerator[_Outside]:
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(simulator()) if config.simulate else None
        gateway = await stack.enter_async_context(open_gateway(config, simulator_url=origin))
        yield _Outside(origin, gateway)


@asynccontextmanager
async def _build(config: Config, port: int, outside: _Outside | None) -> AsyncGenerator[Shared]:
    """Everything that the parts of the daemon share, and its closing."""
    async with AsyncExitStack() as stack:
        if outside is None:
            outside = await stack.enter_async_context(_outside(config))
        origin, gateway = outside.origin, outside.gateway
        store = await stack.enter_async_context(_open_store(config))
        ratios = SqliteRatios(store)
        facts = _facts(config, port, gateway, store, origin)
        journal = None if config.durability == "off" else store.journal()
        sessions: dict[str, Session] = {}
        services = Services(
            config=config,
            calls=Archive(sessions, journal),
            gateway=gateway,
            conversations=store,
            threads=SqliteThreads(store),
            uploads=UploadDesk(SqliteUploads(store)),
            ratios=ratios,
            calibration=Calibration(await _learnt(ratios)),
            daemon=facts,
            tool_names=facts.registry.names,
            now=unix_now,
        )
        yield Shared(
            config=config,
            boot_id=facts.boot_id,
            registry=facts.registry,
            services=services,
            tokens=Tokens(config),
            call_log=CallLog(config.logs / "ws_daemon.metrics.jsonl"),
            permits=facts.permits,
            now=unix_now,
            figures=facts.figures,
            facts=facts,
            draining=facts.draining,
            journal=journal,
            sessions=sessions,
        )


def _facts(
    config: Config, port: int, gateway: Gateway, store: SqliteStore, origin: str | None
) -> Facts:
    return Facts(
        config=config,
        boot_id=secrets.token_hex(8),
        port=port,
        started_at=unix_now(),
        now=unix_now,
        figures=Figures(),
        permits=trio.CapacityLimiter(config.ws_global_max_inflight),
        draining=trio.Event(),
        gateway=gateway,
        registry=Toolset(Registry.from_config(config)),
        simulator=origin,
        store=store,
    )


@asynccontextmanager
async def _open_store(config: Config) -> AsyncGenerator[SqliteStore]:
    """Raises StorageError. A damaged file does not keep the daemon from starting."""
    power = config.durability == "power"
    path = config.state / "exai.db"
    async with open_sqlite(path, over_power_loss=power, replace_damaged=True) as store:
        if store.set_aside is not None:
            log.error(
                "the database was damaged; it is set aside and a fresh one is used",
                extra={"set_aside": str(store.set_aside)},
            )
        yield store


async def _learnt(ratios: SqliteRatios) -> dict[str, float]:
    try:
        return await ratios.all()
    except StorageError as fault:
        log.warning("token counts not read", extra={"fault": fault.message})
        return {}


@attrs.frozen(eq=False)
class _Parts:
    """What `serve` has opened; `let_go` gives EXAI_HOME to a successor."""

    shared: Shared
    listeners: list[trio.SocketListener]
    reread: Reread | None
    elsewhere: Elsewhere | None
    let_go: Callable[[], None]


async def _run(parts: _Parts, task_status: trio.TaskStatus[Addresses]) -> None:
    ending = parts.shared.ending
    async with trio.open_nursery() as app:
        await app.start(_watch_signals, ending.stop, app.cancel_scope)
        async with trio.open_nursery() as living:
            sessions = Sessions(parts.shared, living, parts.elsewhere)
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
    parts: _Parts,
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
            tending.start_soon(_settle, shared)
            await ending.stop.wait()
            listening.cancel_scope.cancel(reason="the daemon is stopping")
        if not ending.replaced:
            await drain(shared, sessions, connections)
        tending.cancel_scope.cancel(reason="the daemon is stopping")


async def _settle(shared: Shared) -> None:
    """What the first calls would otherwise pay for, now that the daemon serves. Without it they pay."""
    try:
        await shared.services.gateway.warm_up()
        collector.settle()
    except Exception:
        log.exception("not warmed up")


async def _restore(sessions: Sessions) -> None:
    """What earlier daemons left open is taken up before anybody can ask for it."""
    try:
        await sessions.restore()
    except StorageError:
        log.exception("journal not read; calls that an earlier daemon left open stay there")


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
        http = await trio.to_thread.run_sync(import_module, "exai_trio.daemon.http")
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
        async for number in signals:
            if stop.is_set():
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


def _port(listeners: list[trio.SocketListener]) -> int:
    port: int = listeners[0].socket.getsockname()[1]
    return port
