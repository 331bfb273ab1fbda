"""The daemon of the simulation: the real sessions, calls and connections; only its tools, its gateway and its disk are ours."""

import attrs
import trio

from exai_trio.config import Config
from exai_trio.daemon.clock_trust import ClockTrust
from exai_trio.daemon.connections.accept import Server
from exai_trio.daemon.connections.admission import Places
from exai_trio.daemon.connections.auth import Tokens
from exai_trio.daemon.context import Shared
from exai_trio.daemon.drain import drain
from exai_trio.daemon.health.counters import Figures
from exai_trio.daemon.health.report import Facts
from exai_trio.daemon.jobs.jobs import Jobs
from exai_trio.daemon.jobs.supervision import every
from exai_trio.daemon.sessions.detached_calls import HandingOver
from exai_trio.daemon.sessions.eviction import Relief
from exai_trio.daemon.sessions.lookup import Archive
from exai_trio.daemon.sessions.memory_budget import Burden
from exai_trio.daemon.sessions.registry import Sessions
from exai_trio.errors import StorageError
from exai_trio.observability.metrics import CallLog
from exai_trio.storage.memory.store import MemoryStore
from exai_trio.storage.sqlite.uploads import MemoryUploads
from exai_trio.tools.base import Services
from exai_trio.tools.files.upload_locks import UploadDesk
from exai_trio.tools.registry import Registry
from exai_trio.wire.hosts import OurNames

from .network import LIMITS, Network

LOOK_S = 10.0  # how often running calls are looked at for handles
_IDLE_BYTES = 100_000  # three sessions at once that do not read are too many
START = 1_790_000_000.0


class NoGateway:
    """Stands where no provider is configured."""

    def providers(self):
        return ()

    def permits(self):
        return {}


def now() -> float:
    return START + trio.current_time()


@attrs.define(eq=False)
class Life:
    """One daemon from its start to its end."""

    number: int
    shared: Shared
    sessions: Sessions
    server: Server
    everything: trio.CancelScope
    connections: trio.Nursery
    ended: trio.Event = attrs.field(factory=trio.Event)


@attrs.define(eq=False)
class House:
    """Where daemons live, one after the other. `life` is the one that serves now."""

    config: Config
    registry: Registry
    disk: object
    network: Network
    note: object
    life: Life | None = None
    lives: int = 0

    async def live(  # noqa: ASYNC114, ASYNC128 - hands task_status on
        self, *, task_status=trio.TASK_STATUS_IGNORED
    ) -> None:
        """One life, until it is cut or drained. What of its connections is left is cut with it."""
        self.lives += 1
        self.note(f"daemon {self.lives} starts")
        try:
            async with trio.open_nursery() as everything:
                await self._serve(everything, task_status)
        finally:
            self.network.listener = None
            life, self.life = self.life, None
            self.network.cut_all()
            if life is not None:
                self.note(f"daemon {life.number} ends")
                life.ended.set()

    async def _serve(self, everything: trio.Nursery, task_status) -> None:
        async with trio.open_nursery() as living:
            self.disk.boot()
            shared = self._shared()
            sessions = Sessions(shared, living, table=shared.services.calls.sessions)
            for _ in range(100):
                try:
                    await sessions.restore()
                    break
                except StorageError:
                    await trio.sleep(1)
            server = Server(shared, sessions, OurNames.of(self.config), Places(self.config), LIMITS)
            jobs = Jobs(shared, sessions)
            everything.start_soon(every, 5.0, jobs.say_progress)
            everything.start_soon(every, LOOK_S, HandingOver(sessions).look)
            everything.start_soon(every, 30.0, sessions.note_acks)
            everything.start_soon(every, 15.0, Relief(sessions).look)
            everything.start_soon(every, 300.0, jobs.sweep_journal)
            everything.start_soon(every, 20.0, jobs.on_disk(self.disk.tidy))
            async with trio.open_nursery() as connections:
                scope = everything.cancel_scope
                self.life = Life(self.lives, shared, sessions, server, scope, connections)
                self.network.listener = lambda end: connections.start_soon(server.serve, end)
                task_status.started()
                await trio.sleep_forever()

    def crash(self) -> None:
        """The process is gone between two steps."""
        if self.life is not None:
            self.note(f"daemon {self.life.number} crashes")
            self.network.listener = None
            self.network.cut_all()
            self.life.everything.cancel(reason="crash")

    async def drain(self) -> None:
        """The orderly end."""
        life = self.life
        if life is None:
            return
        self.note(f"daemon {life.number} drains")
        self.network.listener = None
        await drain(life.shared, life.sessions, life.connections)
        await trio.sleep(self.config.ws_close_timeout + 1)
        life.everything.cancel(reason="drained")

    def _shared(self) -> Shared:
        figures, draining = Figures(), trio.Event()
        permits = trio.CapacityLimiter(self.config.ws_global_max_inflight)
        common = {"config": self.config, "boot_id": f"boot{self.lives}", "now": now}
        common |= {"figures": figures, "permits": permits, "draining": draining}
        facts = Facts(
            **common,
            port=8079,
            started_at=now(),
            gateway=NoGateway(),
            registry=self.registry,
            simulator=None,
        )
        sessions = {}
        services = Services(
            config=self.config,
            calls=Archive(sessions, self.disk),
            gateway=NoGateway(),
            conversations=MemoryStore(),
            threads=MemoryStore(),
            uploads=UploadDesk(MemoryUploads()),
            daemon=facts,
            tool_names=tuple,
            now=now,
        )
        return Shared(
            **common,
            registry=self.registry,
            services=services,
            tokens=Tokens(self.config),
            clock=ClockTrust(None, trio.current_time()),
            call_log=CallLog(self.config.logs / "metrics"),
            facts=facts,
            journal=self.disk,
            burden=Burden(2**20, idle=_IDLE_BYTES),
        )
