"""The daemon's composition root: builds everything once and hands it to the tree of nurseries that runs it (`tree`)."""

import logging
import math
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import StorageError
from exai_trio.observability.logs import LOOSE, open_logs
from exai_trio.observability.metrics import CallLog
from exai_trio.observability.throttled_logs import sparse
from exai_trio.observability.watchdog import Watchdog, watching
from exai_trio.providers.gateway import Gateway, open_gateway
from exai_trio.storage.append_log.log import LoggedStore, open_call_log
from exai_trio.storage.sqlite.store import SqliteStore, check_ours, open_sqlite
from exai_trio.storage.sqlite.threads import SqliteThreads
from exai_trio.storage.sqlite.token_ratios import SqliteRatios
from exai_trio.storage.sqlite.uploads import SqliteUploads
from exai_trio.system import garbage_collector
from exai_trio.system.clock import unix_now
from exai_trio.tools.asking.calibration import Calibration
from exai_trio.tools.base import Services
from exai_trio.tools.files.upload_locks import UploadDesk
from exai_trio.tools.registry import Registry

from .clock_trust import ClockTrust
from .connections.accept import bind
from .connections.auth import Tokens
from .context import Shared
from .health.counters import Figures
from .health.report import Facts, StoreState
from .home_lock import Home, own_home, wait_free
from .lifetime import Addresses, Parts, run
from .live_registry import Toolset
from .reload import Reread
from .sessions.lookup import Archive
from .sessions.session import Session
from .simulator_process import simulator
from .takeover.messages import closing
from .takeover.predecessor import Elsewhere
from .takeover.sockets import take_over

log = logging.getLogger("exai.daemon")

_LAST_FLUSH_S = 1.0  # of the call logs: a disk that hangs keeps no daemon from ending
_LEAVE_S = 10.0  # for a daemon that we replace, beyond its drain


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
    Tokens(config)  # a token that is of no use stops the start before anything else happens
    async with AsyncExitStack() as stack:
        # What needs no home is there, and what takes long is done, before a daemon that serves is asked to leave it.
        outside = await stack.enter_async_context(_outside(config)) if replace else None
        if outside is not None:
            await trio.to_thread.run_sync(check_ours, _database(config))
            await outside.gateway.load()
            garbage_collector.settle()
        taken = await take_over(config) if replace else None
        listeners = taken.listeners if taken else await bind(config)
        for listener in listeners:
            stack.push_async_callback(listener.aclose)
        elsewhere = Elsewhere(taken.stream) if taken else None
        if elsewhere:
            await stack.enter_async_context(closing(elsewhere.stream))
            await elsewhere.wait_left()
            await wait_free(config, config.drain_s + _LEAVE_S)
        home = stack.enter_context(own_home(config))
        with suppress(OSError):  # a job tries again
            home.keep_token()
        _open_logs(stack, config, home)
        building = _build(config, _port(listeners), home, outside)
        shared, sessions = await stack.enter_async_context(building)
        with suppress(OSError):  # a job tries again
            home.note_pid()
        stack.enter_context(watching(Watchdog()))
        await run(Parts(shared, sessions, listeners, reread, elsewhere, home.let_go), task_status)
        with trio.move_on_after(_LAST_FLUSH_S), suppress(OSError):  # a job has said so
            await shared.in_thread(shared.flush_logs)
        log.info("stopped")


def _open_logs(stack: AsyncExitStack, config: Config, home: Home) -> None:
    """The daemon's log, until `stack` ends; what taking the home has shown is said first."""
    stack.enter_context(open_logs(config, "ws_daemon"))
    if home.tightened:
        log.warning(LOOSE, extra={"directory": str(config.state)})
    stack.enter_context(sparse("trio.serve_listeners"))  # else ten without descriptors a second


@structs.frozen
class _Outside:
    """The way to the models; the origin is of the simulator, a child process of ours, if there is one."""

    origin: str | None
    gateway: Gateway


@asynccontextmanager
async def _outside(config: Config) -> AsyncGenerator[_Outside]:
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(simulator()) if config.simulate else None
        gateway = await stack.enter_async_context(open_gateway(config, simulator_url=origin))
        yield _Outside(origin, gateway)


@asynccontextmanager
async def _build(
    config: Config, port: int, home: Home, outside: _Outside | None
) -> AsyncGenerator[tuple[Shared, dict[str, Session]]]:
    """Everything that the parts of the daemon share, the table of its sessions, and its closing."""
    async with AsyncExitStack() as stack:
        if outside is None:
            outside = await stack.enter_async_context(_outside(config))
        origin, gateway = outside.origin, outside.gateway
        store = await stack.enter_async_context(_open_store(config))
        ratios = SqliteRatios(store)
        logged = None
        if config.durability != "off":
            logged = await stack.enter_async_context(_open_log(config, store))
        facts = _facts(config, port, gateway, logged or store, origin)
        journal = logged.journal if logged else None
        sessions: dict[str, Session] = {}
        clock = ClockTrust(await _known_at(store), trio.current_time())
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
            is_clock_trusted=lambda: clock.trusts(unix_now(), trio.current_time()),
        )
        shared = Shared(
            config=config,
            boot_id=facts.boot_id,
            registry=facts.registry,
            services=services,
            tokens=Tokens(config, lambda: home.token),
            call_log=CallLog(config.logs / "ws_daemon.metrics.jsonl"),
            permits=facts.permits,
            now=unix_now,
            figures=facts.figures,
            facts=facts,
            home=home,
            clock=clock,
            draining=facts.draining,
            keys=gateway.keys,
            journal=journal,
        )
        yield shared, sessions


def _facts(
    config: Config, port: int, gateway: Gateway, store: StoreState, origin: str | None
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
    """Raises StorageError if the file is not ours; whatever else is wrong with it does not keep the daemon from starting."""
    power = config.durability == "power"
    async with open_sqlite(_database(config), over_power_loss=power, lasting=True) as store:
        yield store


@asynccontextmanager
async def _open_log(config: Config, store: SqliteStore) -> AsyncGenerator[LoggedStore]:
    power = config.durability == "power"
    async with open_call_log(_database(config), store, over_power_loss=power) as logged:
        yield logged


def _database(config: Config) -> Path:
    return config.state / "exai.db"


async def _learnt(ratios: SqliteRatios) -> dict[str, float]:
    try:
        return await ratios.all()
    except StorageError as fault:
        log.warning("token counts not read", extra={"fault": fault.message})
        return {}


async def _known_at(store: SqliteStore) -> float | None:
    """When the clock was last known to be right; of a store that cannot be read, never.

    It is noted, so that what is stored by a wrong clock from now on makes that no less wrong for the next daemon.
    """
    try:
        known_at = await store.newest_at()
    except StorageError:
        return -math.inf
    if known_at is not None:
        with suppress(StorageError):
            await store.note_time(known_at)
    return known_at


def _port(listeners: list[trio.SocketListener]) -> int:
    port: int = listeners[0].socket.getsockname()[1]
    return port
