"""The daemon's composition root: builds everything once and hands it to the tree of nurseries that runs it (`lifetime`)."""

import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import attrs
import trio

from exai_trio.config import Config
from exai_trio.errors import ArgumentError, StorageError
from exai_trio.incidents.capture import Capture, capturing
from exai_trio.observability.call_files import CallFiles
from exai_trio.observability.logs import LOOSE, open_logs
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.observability.throttled_logs import sparse
from exai_trio.observability.watchdog import watching
from exai_trio.providers.attempts import Deaf
from exai_trio.storage.sqlite.store import check_ours
from exai_trio.system import garbage_collector
from exai_trio.system.clock_trust import ClockTrust
from exai_trio.system.disk import DiskThread
from exai_trio.tools.asking.calibration import Calibration
from exai_trio.tools.base import Services
from exai_trio.tools.files.cleaning_up import coordinator
from exai_trio.tools.files.upload_desk import UploadDesk
from exai_trio.tools.registry import Registry

from .backends import Backends, Models, bus_of, database, open_backends, open_models
from .calls.environment import CallEnvironment
from .calls.lifecycle import Calls
from .connections.access_parts import AccessParts
from .connections.auth import Authentication, Tokens
from .connections.listening import bind
from .context import Clock, DaemonContext, Shutdown
from .control.reload import Reread
from .health.gauges import attach_gauges, attach_store_times
from .health.label_sets import label_sets
from .health.report import Report
from .jobs.call_keeping import CallKeeping
from .jobs.cleaning import Cleaning
from .jobs.daemon_files import DaemonFiles
from .jobs.sinks import attach_sinks, history_of, watchdog_of
from .jobs.watching import Watching
from .lifetime import Addresses, Opened, Parts, run
from .process.home_lock import HomeLock, own_home, wait_free
from .sessions.lookup import CallLookup
from .sessions.memory_budget import MemoryBudget
from .sessions.session import Session
from .takeover.predecessor import Predecessor
from .takeover.sockets import Taken, take_over
from .takeover.transfer_messages import closing

if TYPE_CHECKING:
    from .terminals.terminal_endpoint import TerminalEndpoint

log = logging.getLogger("exai.daemon")

_LAST_FLUSH_S = 1.0  # of the call logs: a disk that hangs keeps no daemon from ending
_LEAVE_S = 40.0  # for a daemon that we replace, beyond its drain
_DRAINED_S = 2.0  # for one that is leaving already, beyond its drain


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

    Raises ServiceUnavailableError if the port or EXAI_HOME is taken, StorageError if the database there is not ours; then
    nothing of a running daemon's was touched. Cancelling cuts all calls; their permits and sockets are free afterwards.
    """
    _check_terminals(config)
    Tokens(config)  # a token that is of no use stops the start before anything else happens
    async with AsyncExitStack() as stack:
        loads_first = replace or config.is_shared  # another daemon serves meanwhile
        models = await _loaded_models(config, stack) if loads_first else None
        taken = await take_over(config) if replace else None
        if replace and taken is None:  # one that is leaving gives nothing, and has its home yet
            await wait_free(config, config.drain_s + _DRAINED_S)
        listeners = taken.listeners if taken else await bind(config)
        for listener in listeners:
            stack.push_async_callback(listener.aclose)
        predecessor = await _wait_left(taken, config, stack) if taken else None
        capture = stack.enter_context(capturing(config, "daemon"))
        home = _enter_home(config, stack, replace=replace)
        backends = await stack.enter_async_context(open_backends(config, models))
        parts = build(config, backends, port=_port(listeners), home=home, capture=capture)
        with suppress(OSError):  # a job tries again
            # audit: suppress, because a job tries again and says so
            home.note_pid()
        stack.enter_context(watching(watchdog_of(parts.report)))
        with capture.keeping():
            await run(parts, Opened(listeners, reread, predecessor, home.let_go), task_status)
            await _write_last(parts)
        log.info("stopped")


def _check_terminals(config: Config) -> None:
    """Raises ArgumentError: as root a terminal may do everything, which is asked for by another word."""
    if config.terminals == "true" and os.geteuid() == 0:
        text = "EXAI_TERMINALS=true is not enough for a daemon of root; EXAI_TERMINALS=root says that it is meant"
        raise ArgumentError(text, details={"field": "EXAI_TERMINALS"})


def _terminals(
    context: DaemonContext, auth: Authentication, now: Callable[[], float], meters: Meters
) -> "TerminalEndpoint | None":
    if context.config.terminals == "false":
        return None
    from .terminals.terminal_endpoint import TerminalEndpoint  # nothing of it is loaded else

    endpoint = TerminalEndpoint.of(context.config, auth, now)
    endpoint.attach_gauges(meters)
    endpoint.watch_calls(context.events)
    return endpoint


async def _write_last(parts: Parts) -> None:
    """What is noted of the last calls; of a disk that refuses a job or the store has told."""
    flushes = [] if parts.watching is None else [parts.watching.incidents.flush_incidents]
    keeping = parts.keeping
    writes = (keeping.flush_calls, keeping.history.keep_history)
    for write in (parts.files.flush_call_log, *writes, *flushes):
        with trio.move_on_after(_LAST_FLUSH_S), suppress(OSError, StorageError):
            # audit: suppress, because a job has said so
            await write()


async def _loaded_models(config: Config, stack: AsyncExitStack) -> Models:
    """What needs no home is there, and what takes long is done, before a daemon that serves is asked to leave it, or a port is open
    at which clients wait though another daemon would serve them."""
    models = await stack.enter_async_context(open_models(config))
    await trio.to_thread.run_sync(check_ours, database(config))
    await models.gateway.load()
    garbage_collector.settle()
    return models


async def _wait_left(taken: Taken, config: Config, stack: AsyncExitStack) -> Predecessor:
    """The daemon that we replace, once it has left the home."""
    predecessor = Predecessor(taken.stream)
    await stack.enter_async_context(closing(predecessor.stream))
    with trio.move_on_after(config.drain_s + _LEAVE_S):  # it waits for what its disk has to take
        await predecessor.wait_left()
        await wait_free(config, config.drain_s + _LEAVE_S)
    return predecessor


def _enter_home(config: Config, stack: AsyncExitStack, *, replace: bool) -> HomeLock:
    """The home, and the daemon's log in it, until `stack` ends; what taking the home has shown is said first."""
    home = stack.enter_context(own_home(config))
    with suppress(OSError):  # a job tries again
        # audit: suppress, because a job tries again and says so
        home.keep_token()
    killed = not (replace or home.was_left)
    stack.enter_context(open_logs(config, "ws_daemon"))
    if killed:
        log.warning("the daemon before was killed, or its machine was")
    if home.tightened:
        log.warning(LOOSE, extra={"directory": str(config.state)})
    stack.enter_context(sparse("trio.serve_listeners"))  # else ten without descriptors a second
    return home


def build(
    config: Config,
    backends: Backends,
    *,
    port: int,
    home: HomeLock | None = None,
    capture: Capture | None = None,
) -> Parts:
    """Everything that one daemon consists of. Opens nothing and starts nothing: who gives `backends` and `capture` ends them."""
    context = _context(config, backends)
    calls, table = Calls(context), dict[str, Session]()
    report = _report(context, backends, port, home)
    keeping = CallKeeping(backends.ended_calls, context.clock, history_of(report, backends.history))
    access = AccessParts.of(context, backends.tokens, keeping.tokens_since)
    auth = access.authentication(Tokens(config, home, backends.now), backends.logins)
    terminals = _terminals(context, auth, backends.now, report.meters)
    report = attrs.evolve(report, terminals=terminals.terminals if terminals else None)
    files = CallFiles.of(config)
    attach_sinks(context.events, report.meters, files, keeping)
    attach_gauges(report.meters, report, calls.running, calls.journalled, table)
    attach_store_times(report.meters, backends.times)
    access.attach(context.events, report.meters)
    lookup = CallLookup(table, calls.detached, context.journal)
    environment = _environment(context, backends, report, lookup, files)
    return Parts(
        context=context,
        environment=attrs.evolve(environment, quotas=access.quotas),
        auth=auth,
        report=report,
        files=DaemonFiles(report, files, home, DiskThread(), access.log),
        keeping=keeping,
        budget=MemoryBudget.of(config),
        calls=calls,
        table=table,
        cleaning=_cleaning(context, backends),
        terminals=terminals,
        hosted=backends.hosted,
        watching=Watching.where_kept(report, backends.watching, capture, access.quotas),
        cluster=backends.cluster,
    )


def _context(config: Config, backends: Backends) -> DaemonContext:
    trust = ClockTrust(backends.known_at, trio.current_time())
    return DaemonContext(
        config=config,
        clock=Clock(backends.now, trust),
        journal=None if config.durability == "off" else backends.journal,
        events=backends.models.events,
        shutdown=Shutdown(member=backends.cluster.membership if backends.cluster else None),
    )


def _cleaning(context: DaemonContext, backends: Backends) -> Cleaning | None:
    """Where conversations are in a database; else their store is swept."""
    if backends.store is None:
        return None
    cleans = coordinator(
        context.config,
        backends.files,
        backends.models.gateway,
        context.clock.now,
        listener=Deaf(context.events.publish),
    )
    return Cleaning(cleans, backends.conversations, context.clock, context.events.publish)


def _report(context: DaemonContext, backends: Backends, port: int, home: HomeLock | None) -> Report:
    return Report(
        context=context,
        meters=Meters(label_sets((tool.name for tool in backends.tools), backends.models.gateway)),
        boot_id=backends.boot_id,
        home_id=lambda: home.id if home else "",
        port=port,
        permits=trio.CapacityLimiter(context.config.ws_global_max_inflight),
        gateway=backends.models.gateway,
        tools=Registry.from_config(context.config, backends.tools),
        simulator=backends.models.simulator,
        store=backends.store,
        bus=bus_of(context.config, backends.payloads, context.clock.now),
        hosted=backends.hosted,
    )


def _environment(
    context: DaemonContext,
    backends: Backends,
    report: Report,
    lookup: CallLookup,
    files: CallFiles,
) -> CallEnvironment:
    services = Services(
        config=context.config,
        calls=lookup,
        gateway=report.gateway,
        conversations=backends.conversations,
        threads=backends.threads,
        uploads=UploadDesk(backends.files, report.saved),
        ratios=backends.ratios,
        calibration=Calibration(backends.learnt),
        daemon=report,
        tool_names=report.tools.names,
        now=context.clock.now,
        is_clock_trusted=context.clock.is_trusted,
    )
    return CallEnvironment(
        tools=report.tools,
        services=services,
        permits=report.permits,
        keys=report.gateway.keys,
        toolcalls=files.toolcalls,
        bus=report.bus,
    )


def _port(listeners: list[trio.SocketListener]) -> int:
    port: int = listeners[0].socket.getsockname()[1]
    return port
