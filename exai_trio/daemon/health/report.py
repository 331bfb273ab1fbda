"""What the daemon knows of itself, for health answers, pages, files and the diagnostic tools.

Every answer is a plain read, but the log, which a thread reads.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs
import trio
from msgspec import UNSET

from exai_trio import __version__, structs
from exai_trio.bus.message_bus import MessageBus
from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.observability.tail import newest_lines_of
from exai_trio.observability.times import human, rfc3339
from exai_trio.providers.gateway import Gateway
from exai_trio.storage.sqlite.file.schema import STEPS
from exai_trio.tools.files.upload_desk import Saved
from exai_trio.tools.registry import Registry
from exai_trio.wire.messages import ServerFacts

from ..context import DaemonContext
from .figures import FAMILIES, Figures
from .problems import Problems
from .stored_sizes import StoredSizes
from .traffic import Traffic


class StoreState(Protocol):
    """How the store's file fares.
    Cancelling either function takes effect when the thread at hand is done; a write that was accepted is done."""

    @property
    def is_full(self) -> bool: ...

    @property
    def set_aside(self) -> Path | None: ...

    @property
    def fault(self) -> ExaiError | None: ...

    def flush_by(self, deadline: float) -> None: ...

    async def recover(self) -> None: ...

    async def keep_log_short(self) -> None: ...


class HostedState(Protocol):
    """How the part of the store fares that machines share."""

    def facts(self) -> dict[str, Any]: ...

    def troubles(self) -> Mapping[str, str | None]: ...

    @property
    def outbox_entries(self) -> int: ...

    @property
    def outbox_age_s(self) -> float: ...


class TerminalState(Protocol):
    """How terminals fare."""

    def told(self) -> dict[str, Any]: ...

    def attaches_of_a_minute(self) -> Mapping[str, int]: ...

    def creations_of_an_hour(self) -> tuple[int, int]: ...


@structs.frozen(kw_only=True, eq=False)
class Report:
    """`started_at` is in unix seconds, `began` of trio's clock, which nobody sets; `port` is the one that the WebSocket truly
    listens on; `home_id` tells its home from others, as soon as it is ours; `simulator` is the origin of ours, if there is one."""

    context: DaemonContext
    meters: Meters
    boot_id: str
    home_id: Callable[[], str]
    port: int
    permits: trio.CapacityLimiter
    gateway: Gateway
    tools: Registry
    simulator: str | None = None
    store: StoreState | None = None
    bus: MessageBus | None = None
    terminals: TerminalState | None = None
    hosted: HostedState | None = None
    saved: Saved = attrs.field(factory=Saved)
    sizes: StoredSizes = attrs.field(factory=StoredSizes)
    traffic: Traffic = attrs.field(factory=Traffic)
    problems: Problems = attrs.Factory(
        lambda self: Problems(self.context.events.publish), takes_self=True
    )
    started_at: float = attrs.Factory(lambda self: self.context.clock.now(), takes_self=True)
    began: float = attrs.field(factory=trio.current_time)

    def __repr__(self) -> str:
        figures = self.figures()
        return f"<Report {self.status} port={self.port} calls={figures.running} sessions={figures.sessions}>"

    @property
    def config(self) -> Config:
        return self.context.config

    def figures(self) -> Figures:
        """As they are now."""
        return Figures.of(self.meters.snapshot(*FAMILIES))

    @property
    def draining(self) -> bool:
        return self.context.shutdown.draining

    @property
    def may_serve(self) -> bool:
        return self.context.shutdown.may_serve

    @property
    def status(self) -> str:
        """ "degraded": it answers, and something is wrong that `problems` names."""
        if self.draining:
            return "draining"
        return "degraded" if self.problems or self._store_trouble() else "healthy"

    def server_facts(self) -> ServerFacts:
        """What a client is told at its hello."""
        home = self.home_id() or UNSET
        return ServerFacts(name="exai-trio", version=__version__, boot_id=self.boot_id, home=home)

    def note_store(self) -> None:
        """Say what is wrong with the store, if that is news."""
        aside = self.store.set_aside if self.store else None
        self.problems.note("storage", self._store_trouble())
        if aside is not None:
            text = f"the database was damaged; it is kept as {aside}, and a fresh one is used"
            self.problems.note("damaged database", text)
        if self.hosted is not None:
            for name, trouble in self.hosted.troubles().items():
                self.problems.note(name, trouble)

    def _store_trouble(self) -> str | None:
        if self.store is None:
            return None
        if self.store.fault is not None:
            return self.store.fault.message
        return (
            "The disk is full: new calls are refused until there is room."
            if self.store.is_full
            else None
        )

    def health(self) -> dict[str, Any]:
        figures = self.figures()
        return self.identity() | {
            "sessions": figures.sessions,
            "connections": figures.connections,
            "calls": figures.of_calls(),
            "permits": self.semaphores(),
            "providers": list(self.gateway.providers()),
            "tool_count": len(self.tools.visible()),
            "simulator": self.simulator,
            "storage": self.storage(),
            "troubles": self.problems.told(),
            **({} if self.terminals is None else {"terminals": self.terminals.told()}),
        }

    def storage(self) -> dict[str, Any]:
        """`damaged_file` is the name of a database that was set aside; `fault` is why nothing can be written now. `hit_rate` and
        `bytes_saved` are of uploads that were not needed, since the start; `daemons` share the store."""
        aside, member = self.store.set_aside if self.store else None, self.context.shutdown.member
        rate = self.saved.hit_rate
        return {
            "backend": self.config.storage_backend,
            "durability": self.config.durability,
            "disk_full": self.store is not None and self.store.is_full,
            "damaged_file": aside.name if aside else None,
            "fault": self.store.fault.message if self.store and self.store.fault else None,
            "bus_bytes": self.bus.held_bytes if self.bus else 0,
            "stored_bytes": dict(self.sizes.kinds),
            "hit_rate": None if rate is None else round(rate, 4),
            "bytes_saved": self.saved.bytes,
            "schema": len(STEPS),
            **(self.hosted.facts() if self.hosted else {}),
            **({"daemons": member.told()} if member else {}),
        }

    def uptime_s(self) -> float:
        return trio.current_time() - self.began

    def identity(self) -> dict[str, Any]:
        """Who it is and how it does; it is written down every few seconds."""
        uptime_s = self.uptime_s()
        return {
            "status": self.status,
            "name": "exai-trio",
            "version": __version__,
            "boot_id": self.boot_id,
            "pid": os.getpid(),
            "host": self.config.ws_host,
            "port": self.port,
            "t": rfc3339(self.context.clock.now()),
            "started_at": rfc3339(self.started_at),
            "uptime_s": round(uptime_s, 3),
            "uptime_human": human(uptime_s),
        }

    def semaphores(self) -> dict[str, Any]:
        """`current` counts free permits: equal to `expected` when nothing runs."""
        statistics = self.permits.statistics()
        expected = int(statistics.total_tokens)
        return {
            "global": {
                "expected": expected,
                "current": expected - statistics.borrowed_tokens,
                "inflight": statistics.borrowed_tokens,
                "waiting": statistics.tasks_waiting,
            },
            "providers": {
                name: attrs.asdict(permits) for name, permits in self.gateway.permits().items()
            },
        }

    def websocket(self) -> dict[str, Any]:
        figures = self.figures()
        return {
            "status": self.status,
            "listening": not self.draining,
            "host": self.config.ws_host,
            "port": self.port,
            "connections": figures.connections,
            "sessions": figures.sessions,
            "max_connections": self.config.max_connections,
            "ping_interval_s": self.config.ws_ping_interval,
            "ping_timeout_s": self.config.ws_ping_timeout,
        }

    def health_file(self) -> dict[str, Any]:
        """The facts of logs/ws_daemon.health.json, under the names that existing monitors read."""
        identity = self.identity()
        kept = ("t", "pid", "host", "port", "started_at", "uptime_human", "status", "version")
        semaphores, figures = self.semaphores()["global"], self.figures()
        return {name: identity[name] for name in kept} | {
            "sessions": figures.sessions,
            "global_capacity": semaphores["expected"],
            "global_inflight": semaphores["inflight"],
            "tool_count": len(self.tools.visible()),
        }

    async def log_tail(self, lines: int, principal: str) -> list[str]:
        """The newest lines of the daemon's log that this principal may see; none if it cannot be read. Cancelling leaves reading to
        its thread."""
        path = self.config.logs / "ws_daemon.log"
        return await trio.to_thread.run_sync(
            newest_lines_of, path, lines, principal, abandon_on_cancel=True
        )
