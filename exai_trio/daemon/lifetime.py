"""A running daemon's tree of nurseries, from its signals down to its connections, and the way it ends."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from exai_trio import __version__, structs
from exai_trio.config import bracketed
from exai_trio.providers.gateway import Gateway
from exai_trio.system import garbage_collector
from exai_trio.system.disk import fault_of
from exai_trio.transport.websocket import Limits
from exai_trio.wire.hosts import OurNames

from .calls.environment import CallEnvironment
from .calls.lifecycle import Calls
from .connections.accept import TERMINAL, Server
from .connections.admission import Admission
from .connections.auth import Authentication
from .connections.requests import Requests
from .context import DaemonContext
from .control.drain import drain
from .control.reload import Reload, Reread
from .control.signals import watch_hangups, watch_signals
from .health.report import Report
from .http.open_ports import HttpAddresses, open_ports
from .http.watched_daemon import WatchedDaemon
from .jobs.call_keeping import CallKeeping
from .jobs.cleaning import Cleaning
from .jobs.daemon_files import DaemonFiles
from .jobs.jobs import Jobs, Periods
from .jobs.store_upkeep import StoreUpkeep
from .jobs.watching import Watching
from .sessions.memory_budget import MemoryBudget
from .sessions.session import Session
from .sessions.session_registry import Sessions
from .streamable_http.open_service import open_service
from .takeover.predecessor import Predecessor
from .takeover.sockets import offer
from .takeover.successor import Successor
from .takeover.transfer_messages import closing

if TYPE_CHECKING:  # loaded only where it is asked for
    from .jobs.hosted_side import HostedSide
    from .takeover.cluster.cluster import Cluster
    from .terminals.terminal_endpoint import TerminalEndpoint

log = logging.getLogger("exai.daemon")

_CLOSE_S = 0.5  # for the last goodbyes of one that was replaced


@structs.frozen(kw_only=True)
class Addresses:
    """Where the daemon serves; None where it does not."""

    websocket: str
    health: str | None
    monitoring: str | None
    incidents: str | None
    mcp: str | None
    simulator: str | None


@structs.frozen(kw_only=True, eq=False)
class Parts:
    """What one daemon consists of before its nurseries are opened; `table` has its sessions by id, `hosted` is what machines share, `cluster` the daemons
    that do."""

    context: DaemonContext
    environment: CallEnvironment
    auth: Authentication
    report: Report
    files: DaemonFiles
    keeping: CallKeeping
    budget: MemoryBudget
    calls: Calls
    table: dict[str, Session]
    cleaning: Cleaning | None = None
    terminals: "TerminalEndpoint | None" = None
    hosted: "HostedSide | None" = None
    watching: Watching | None = None
    cluster: "Cluster | None" = None


@structs.frozen(eq=False)
class Opened:
    """What `serve` has opened for one daemon; `let_go` gives EXAI_HOME to a successor."""

    listeners: list[trio.SocketListener]
    reread: Reread | None
    predecessor: Predecessor | None
    let_go: Callable[[], None]


@structs.frozen(kw_only=True, eq=False)
class Tree:
    """A daemon whose sessions live; whoever opened it brings connections to `server`, and ends `connections`."""

    sessions: Sessions
    server: Server
    jobs: Jobs
    connections: trio.Nursery


@asynccontextmanager
async def open_tree(
    parts: Parts,
    addresses: Iterable[str] = (),
    predecessor: Predecessor | None = None,
    periods: Periods | None = None,
) -> AsyncGenerator[Tree]:
    """The nurseries of calls, sessions and connections; `addresses` are those that it listens on. At the end connections are waited for, then sessions and calls are cut. Cancelling cuts all."""
    async with trio.open_nursery() as calls, trio.open_nursery() as sessions:
        await calls.start(parts.calls.run)
        registry = Sessions(
            context=parts.context,
            environment=parts.environment,
            problems=parts.report.problems,
            budget=parts.budget,
            nursery=sessions,
            calls=parts.calls,
            predecessor=predecessor,
            others=parts.cluster,
            table=parts.table,
        )
        if parts.auth.standings is not None:
            parts.auth.standings.trouble = parts.report.problems.note
            sessions.start_soon(parts.auth.standings.run)
        if parts.terminals is not None:
            await sessions.start(parts.terminals.run)
        if parts.cluster is not None:
            parts.calls.work = parts.cluster.work
            sessions.start_soon(parts.cluster.run, registry)
            gateway = parts.report.gateway
            await sessions.start(parts.cluster.shares(gateway.limits).run)
            guards = gateway.guards
            sessions.start_soon(parts.cluster.comparison(guards.breakers, guards.moved).run)
        async with trio.open_nursery() as connections:
            yield Tree(
                sessions=registry,
                server=_server(parts, registry, addresses),
                jobs=_jobs(parts, registry, periods or Periods()),
                connections=connections,
            )
        calls.cancel_scope.cancel(reason="the daemon is stopping")


async def run(  # noqa: ASYNC128 - hands task_status on
    parts: Parts, opened: Opened, task_status: trio.TaskStatus[Addresses]
) -> None:
    """Serve until a signal or a successor ends it, and drain. Cancelling cuts what runs; calls that are kept stay open in the
    journal."""
    shutdown, predecessor = parts.context.shutdown, opened.predecessor
    addresses = [str(listener.socket.getsockname()[0]) for listener in opened.listeners]
    async with trio.open_nursery() as app:
        await app.start(watch_signals, shutdown.stop, app.cancel_scope)
        async with open_tree(parts, addresses, predecessor) as tree:
            if predecessor is not None:
                app.start_soon(predecessor.run)
            await _serve_until_stopped(parts, opened, tree, task_status)
            if shutdown.successor is not None:
                async with closing(shutdown.successor):
                    await Successor(tree.sessions, shutdown.successor).take_all(opened.let_go)
                tree.connections.cancel_scope.deadline = trio.current_time() + _CLOSE_S
        app.cancel_scope.cancel(reason="the daemon has drained")


async def _serve_until_stopped(
    parts: Parts, opened: Opened, tree: Tree, task_status: trio.TaskStatus[Addresses]
) -> None:
    """Returns when the daemon has drained; or, if it is replaced, when it holds no port and no file of the home but the
    database."""
    shutdown, config = parts.context.shutdown, parts.context.config
    async with trio.open_nursery() as background:
        if opened.reread is not None:
            reload = Reload(config, parts.environment.tools, tree.sessions)
            await background.start(watch_hangups, reload, opened.reread, parts.hosted)
        background.start_soon(tree.jobs.run)
        watched = watched_daemon(parts, tree, opened.reread)
        async with trio.open_nursery() as listening:
            await listening.start(tree.server.listen, opened.listeners, tree.connections)
            await listening.start(offer, opened.listeners, config, shutdown)
            background.start_soon(restore, tree.sessions)
            pages_loaded = trio.Event()
            task_status.started(await _open_http(background, parts, tree, watched, pages_loaded))
            background.start_soon(settle, parts.report.gateway, pages_loaded)
            if parts.hosted is not None:
                background.start_soon(parts.hosted.run, tree.jobs.supervise, pages_loaded)
            await shutdown.stop.wait()
            listening.cancel_scope.cancel(reason="the daemon is stopping")
        if parts.terminals is not None:
            parts.terminals.leave()
        if not shutdown.replaced:
            await drain(tree.sessions, tree.connections, parts.report.store)
            if parts.hosted is not None:
                await parts.hosted.finish()
        background.cancel_scope.cancel(reason="the daemon is stopping")


async def settle(gateway: Gateway, after: trio.Event) -> None:
    """What the first calls would otherwise pay for, now that the daemon serves. Without it, or if it is cancelled, they pay."""
    await after.wait()  # both import
    try:
        await gateway.warm_up()
        garbage_collector.settle()
    except Exception:
        log.exception("not warmed up")


async def restore(sessions: Sessions) -> None:
    """Take up what earlier daemons left open, beside the clients: who comes back meanwhile is restored first. If the journal cannot be
    read, that is left to the upkeep. Cancelled, what is not taken up stays open in the journal."""
    fault = await fault_of(sessions.restore)
    if fault is not None:
        log.error("journal not read; it is tried again", extra={"fault": fault.message})


def _server(parts: Parts, sessions: Sessions, addresses: Iterable[str]) -> Server:
    config = parts.context.config
    limits = Limits(
        max_bytes=config.ws_max_bytes,
        send_s=config.ws_ping_timeout,
        close_s=config.ws_close_timeout,
    )
    requests = Requests(parts.environment.tools, parts.report, parts.auth)
    return Server(
        context=parts.context,
        sessions=sessions,
        auth=parts.auth,
        requests=requests,
        names=OurNames.of(config, *addresses),
        admission=Admission(config),
        limits=limits,
        bus=parts.environment.bus,
        endpoints={} if parts.terminals is None else {TERMINAL: parts.terminals.serve},
    )


def _jobs(parts: Parts, sessions: Sessions, periods: Periods) -> Jobs:
    upkeep = StoreUpkeep(sessions, parts.environment.services.conversations, parts.report)
    return Jobs(
        sessions,
        parts.files,
        parts.keeping,
        upkeep,
        parts.report.problems,
        periods,
        parts.cleaning,
        parts.watching,
    )


def watched_daemon(parts: Parts, tree: Tree, reread: Reread | None = None) -> WatchedDaemon:
    """What the pages look at. From now on it is noted who connects."""
    watched = WatchedDaemon(
        report=parts.report,
        sessions=tree.sessions,
        services=parts.environment.services,
        auth=parts.auth,
        keeping=parts.keeping,
        cleaning=parts.cleaning,
        terminals=parts.terminals,
        watching=parts.watching,
        reread=reread,
    )
    if parts.context.config.monitoring_port or parts.context.config.incidents_port:
        parts.context.events.add("pages", watched.takes())
    return watched


async def _open_http(
    background: trio.Nursery, parts: Parts, tree: Tree, watched: WatchedDaemon, loaded: trio.Event
) -> Addresses:
    """Start the HTTP side in `background`, now that the WebSocket listens."""
    config, report, names = parts.context.config, parts.report, tree.server.names
    http: HttpAddresses = await background.start(open_ports, watched, names, loaded)
    mcp = await open_service(
        background,
        parts.context,
        tree.sessions,
        auth=parts.auth,
        names=names,
        tools=report.tools,
    )
    websocket = f"ws://{bracketed(config.ws_host)}:{report.port}/"
    log.info("serving", extra={"websocket": websocket, "version": __version__})
    return Addresses(
        websocket=websocket,
        health=http.health,
        monitoring=http.monitoring,
        incidents=http.incidents,
        mcp=mcp,
        simulator=report.simulator,
    )
