"""What a daemon stands on: the way to the models, and the database.

Tests and the simulation hand in their own.
"""

import logging
import math
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from exai_trio import structs
from exai_trio.access.kept_logins import LoginStore, SqliteLogins
from exai_trio.access.open_registry import open_registry
from exai_trio.access.token_registry import TokenRegistry
from exai_trio.bus.message_bus import BusRules, MessageBus
from exai_trio.bus.payload_files import Format
from exai_trio.config import MIB, Config
from exai_trio.errors import StorageError
from exai_trio.filestore.kept_files import KeptFiles, in_database
from exai_trio.observability.event_hub import EventHub
from exai_trio.providers.gateway import Gateway, open_gateway
from exai_trio.storage.append_log.log import open_call_log
from exai_trio.storage.base import Conversations, Owned, Threads, TokenRatios
from exai_trio.storage.contracts.stored_payloads import StoredPayloads
from exai_trio.storage.ended_calls import EndedCalls, ForgottenCalls
from exai_trio.storage.journal import Journal
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import SqliteStore, open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads
from exai_trio.storage.sqlite.token_ratios import SqliteRatios
from exai_trio.storage.sqlite.watching.metric_history_rows import SqliteHistory
from exai_trio.storage.sqlite.watching.stores_in_file import stores_in
from exai_trio.storage.store_times import StoreTimes
from exai_trio.storage.watching.metric_history import ForgottenHistory, MetricHistory
from exai_trio.storage.watching.watching_stores import WatchingStores
from exai_trio.system.clock import unix_now
from exai_trio.system.home_id import HOME_LOCK, own_id
from exai_trio.tools.base import Tool
from exai_trio.tools.registry import BUILT_IN

from .health.report import StoreState
from .process.simulator_process import simulator

if TYPE_CHECKING:  # loaded only where it is asked for
    from .jobs.hosted_side import HostedSide
    from .takeover.cluster.cluster import Cluster

log = logging.getLogger("exai.daemon")

_HOUR_S = 3600.0


new_boot_id: Final = partial(secrets.token_hex, 8)


@structs.frozen(kw_only=True, eq=False)
class Models:
    """The way to the models; the origin is of the simulator, a child process of ours, if there is one;
    `events` hears of each request."""

    gateway: Gateway
    simulator: str | None = None
    events: EventHub = attrs.field(factory=EventHub)


@structs.frozen(kw_only=True, eq=False)
class Backends:
    """`known_at` is when the clock was last known to be right (None: never noted), `learnt` what was noted of token counts. Without
    `payloads` no result goes by reference. A
    `store` is what `conversations` and the others are kept in, if that is a file."""

    models: Models
    conversations: Conversations
    threads: Owned[Threads]
    files: KeptFiles
    ratios: TokenRatios
    tokens: TokenRegistry | None = None
    ended_calls: EndedCalls = attrs.field(factory=ForgottenCalls)
    history: MetricHistory = attrs.field(factory=ForgottenHistory)
    learnt: dict[str, float] = attrs.field(factory=dict[str, float])
    payloads: StoredPayloads | None = None
    watching: WatchingStores | None = None
    logins: LoginStore | None = None
    journal: Journal | None = None
    store: StoreState | None = None
    times: StoreTimes = attrs.field(factory=StoreTimes)
    hosted: "HostedSide | None" = None
    cluster: "Cluster | None" = None
    known_at: float | None = None
    now: Callable[[], float] = unix_now
    boot_id: str = attrs.field(factory=new_boot_id)
    tools: tuple[Tool, ...] = BUILT_IN


@asynccontextmanager
async def open_models(config: Config) -> AsyncGenerator[Models]:
    """The gateway, and the simulator if it is asked for, until the context ends. Cancelling closes them, as leaving does."""
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(simulator()) if config.simulate else None
        events = EventHub()
        opening = open_gateway(config, simulator_url=origin, publish=events.publish)
        gateway = await stack.enter_async_context(opening)
        yield Models(gateway=gateway, simulator=origin, events=events)


@asynccontextmanager
async def open_backends(config: Config, models: Models | None = None) -> AsyncGenerator[Backends]:
    """The database of EXAI_HOME, the log of calls before it and, unless they are there already, the models, until the context ends.

    Raises StorageError if the file is not ours; whatever else is wrong with it does not keep the daemon from starting.
    Cancelling closes both, as leaving does; what the store accepted before is flushed.
    """
    async with AsyncExitStack() as stack:
        if models is None:
            models = await stack.enter_async_context(open_models(config))
        power = config.durability == "power"
        times = StoreTimes()
        opening = open_sqlite(database(config), over_power_loss=power, lasting=True, times=times)
        store = await stack.enter_async_context(opening)
        open_kept = _open_shared if config.is_shared else _open_own
        kept = await stack.enter_async_context(open_kept(config, store, times))
        ratios = SqliteRatios(store)
        opening_registry = open_registry(config.redis_url, config.deployment, store)
        yield Backends(
            models=models,
            files=kept.files,
            conversations=kept.conversations,
            threads=kept.threads,
            ratios=ratios,
            payloads=kept.payloads,
            tokens=await stack.enter_async_context(opening_registry),
            watching=stores_in(store),
            logins=SqliteLogins(store),
            ended_calls=SqliteCalls(store),
            history=SqliteHistory(store),
            learnt=await _learnt(ratios),
            journal=kept.journal,
            store=kept.state,
            times=times,
            hosted=kept.hosted,
            cluster=kept.cluster,
            boot_id=kept.boot_id,
            known_at=await _known_at(store),
        )


@structs.frozen(kw_only=True, eq=False)
class _Kept:
    """Calls, conversations and files, wherever they are kept."""

    conversations: Conversations
    threads: Owned[Threads]
    files: KeptFiles
    payloads: StoredPayloads
    journal: Journal | None
    state: StoreState
    hosted: "HostedSide | None" = None
    cluster: "Cluster | None" = None
    boot_id: str = attrs.field(factory=new_boot_id)


@asynccontextmanager
async def _open_own(config: Config, store: SqliteStore, times: StoreTimes) -> AsyncGenerator[_Kept]:
    """In the home; Supabase hears of conversations, if it is asked for."""
    hosted = _hosted(config, store, times) if config.is_hosted else None
    async with AsyncExitStack() as stack:
        logged = None
        if config.durability != "off":
            power = config.durability == "power"
            logging_calls = open_call_log(database(config), store, over_power_loss=power)
            logged = await stack.enter_async_context(logging_calls)
        yield _Kept(
            conversations=hosted.mirror if hosted else store,
            threads=hosted.mirror if hosted else SqliteThreads(store),
            files=hosted.contents.files if hosted else _own_files(config, store),
            payloads=hosted.contents.payloads if hosted else SqlitePayloads(store),
            journal=logged.journal if logged else None,
            state=logged or store,
            hosted=hosted,
        )


@asynccontextmanager
async def _open_shared(
    config: Config, store: SqliteStore, times: StoreTimes
) -> AsyncGenerator[_Kept]:
    """In the PostgreSQL of DATABASE_URL; files and large results in the home."""
    from exai_trio.storage.postgres.shared_store import open_shared_store  # only where asked for
    from exai_trio.storage.supabase.migrations import newest

    from .takeover.cluster.cluster import open_cluster

    home, boot_id = _home_of(config), new_boot_id()
    opening = open_shared_store(
        config.database_url,
        home,
        boot_id,
        store,
        store,
        now=unix_now,
        needed=newest(),
        times=times,
    )
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(opening)
        keeps_calls = config.durability != "off"
        joining = open_cluster(config, home, boot_id, shared)
        yield _Kept(
            conversations=shared.conversations,
            threads=shared.threads,
            files=_own_files(config, store),
            payloads=SqlitePayloads(store),
            journal=shared.journal if keeps_calls else None,
            state=shared,
            boot_id=boot_id,
            cluster=await stack.enter_async_context(joining) if keeps_calls else None,
        )


def _own_files(config: Config, store: SqliteStore) -> KeptFiles:
    return in_database(store, config.objects, config.files_max_gb)


def _home_of(config: Config) -> str:
    """Under which name its calls are kept. Raises StorageError: calls of a home without a name would be anybody's."""
    try:
        return own_id(config.state / HOME_LOCK)
    except OSError as fault:
        raise StorageError(
            f"EXAI_HOME {config.home} cannot be written, and STORAGE_BACKEND=postgres keeps calls under its id: {fault.strerror}."
        ) from fault


def bus_of(
    config: Config, rows: StoredPayloads | None, now: Callable[[], float]
) -> MessageBus | None:
    """The bus as the settings have it, if there is a store for its rows. One that is switched off still gives what it has."""
    if rows is None:
        return None
    how = Format(
        compression=config.message_bus_compression,
        checksums=config.message_bus_checksum_enabled,
        flushes=config.durability == "power",
    )
    rules = BusRules(
        payload_bytes=config.message_bus_max_payload_mb * MIB,
        lasts_s=config.message_bus_ttl_hours * _HOUR_S,
        format=how,
    )
    return MessageBus(rows, config.home / "bus", now, rules)


def _hosted(config: Config, store: SqliteStore, times: StoreTimes) -> "HostedSide":
    from .jobs.hosted_side import HostedSide  # only where it is asked for

    return HostedSide.of(config, store, unix_now, times)


def database(config: Config) -> Path:
    return config.state / "exai.db"


async def _learnt(ratios: SqliteRatios) -> dict[str, float]:
    try:
        return dict(await ratios.all())
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
            # audit: suppress, because a store that cannot be read knows no time
            await store.note_time(known_at)
    return known_at
