"""The daemon of the simulation: the real sessions, calls and connections; only its tools, its gateway and its disk are ours."""

from collections.abc import Callable

import attrs
import trio

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import Backends, Models
from exai_trio.daemon.drain import drain
from exai_trio.daemon.jobs.jobs import Periods
from exai_trio.daemon.lifetime import Parts, Tree, open_tree
from exai_trio.daemon.sessions.session_registry import Sessions
from exai_trio.errors import StorageError
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.storage.memory.store import MemoryStore
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.storage.sqlite.upload_registry import MemoryUploads
from exai_trio.system.disk import fault_of
from exai_trio.tools.base import Tool

from .network import Network

_IDLE_BYTES = 100_000  # three sessions at once that do not read are too many
START = 1_790_000_000.0
NEVER = float("inf")


class NoGateway:
    """Stands where no provider is configured."""

    keys = KnownSecrets()

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
    parts: Parts
    tree: Tree
    everything: trio.CancelScope
    ended: trio.Event = attrs.field(factory=trio.Event)

    @property
    def sessions(self) -> Sessions:
        return self.tree.sessions


@attrs.define(eq=False)
class House:
    """Where daemons live, one after the other. `life` is the one that serves now."""

    config: Config
    tools: tuple[Tool, ...]
    disk: object
    network: Network
    note: Callable[[str], None]
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
        self.disk.boot()
        parts = build(self.config, self._backends(), port=8079)
        parts.budget.most, parts.budget.idle = 2**20, _IDLE_BYTES
        async with open_tree(parts, periods=self._periods()) as tree:
            await _restored(tree.sessions)
            everything.start_soon(tree.jobs.run)
            everything.start_soon(self._tidy)
            self.life = Life(self.lives, parts, tree, everything.cancel_scope)
            self.network.listener = lambda end: tree.connections.start_soon(tree.server.serve, end)
            task_status.started()
            await trio.sleep_forever()

    async def _tidy(self) -> None:
        while True:
            await trio.sleep(20.0)
            await fault_of(self.disk.tidy)

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
        await drain(life.sessions, life.tree.connections)
        await trio.sleep(self.config.ws_close_timeout + 1)
        life.everything.cancel(reason="drained")

    def _backends(self) -> Backends:
        store = MemoryStore()
        return Backends(
            models=Models(gateway=NoGateway()),
            conversations=store,
            threads=store,
            uploads=MemoryUploads(),
            ratios=MemoryRatios(),
            journal=self.disk,
            now=now,
            boot_id=f"boot{self.lives}",
            tools=self.tools,
        )

    def _periods(self) -> Periods:
        """Nothing that writes files or gives memory back: that is done in threads."""
        return Periods(
            acks=30.0,
            eviction=15.0,
            conversations=NEVER,
            store=NEVER,
            files=NEVER,
            health_file=NEVER,
            memory=NEVER,
        )


async def _restored(sessions: Sessions) -> None:
    for _ in range(100):
        if sessions.restored:
            return
        await trio.sleep(1)
        try:
            await sessions.restore()
        except StorageError:
            continue
