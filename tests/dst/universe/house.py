"""The daemons of the simulation: the real sessions, calls and takeover; only their tools, gateway and disk are ours."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import attrs
import trio
from files_in_memory import in_memory

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import Backends, Models
from exai_trio.daemon.control.drain import drain
from exai_trio.daemon.jobs.jobs import Periods
from exai_trio.daemon.lifetime import Parts, Tree, open_tree
from exai_trio.daemon.sessions.session_registry import Sessions
from exai_trio.daemon.takeover.predecessor import Predecessor
from exai_trio.daemon.takeover.successor import Successor
from exai_trio.daemon.takeover.transfer_messages import closing
from exai_trio.errors import StorageError
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.storage.group_commit import FLUSH_S
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.system.disk import fault_of
from exai_trio.tools.base import Tool

from .commits import Commits, LifesJournal
from .disk import Disk
from .network import End, Network

_IDLE_BYTES = 100_000  # three sessions at once that do not read are too many
_LEAVE_S = 40.0  # for a daemon that is replaced, as in `app`
_CLOSE_S = 0.5  # for its last goodbyes, as in `lifetime`
START = 1_790_000_000.0
NEVER = float("inf")


class NoGateway:
    """Stands where no provider is configured."""

    keys = KnownSecrets()

    def providers(self):
        return ()

    def permits(self):
        return {}

    def breakers(self):
        return {}

    def catalogue(self):
        return ()


def now() -> float:
    return START + trio.current_time()


@attrs.define(eq=False)
class Life:
    """One daemon from its start to its end. `serving` once clients can come, `replaced` once a successor has its listener; `home`
    once the next may take the home."""

    number: int
    everything: trio.CancelScope
    parts: Parts | None = None
    tree: Tree | None = None
    journal: LifesJournal | None = None
    crashed: bool = False
    ends: list = attrs.field(factory=list)
    waiting: list = attrs.field(factory=list)  # connections that nobody has accepted yet
    serving: trio.Event = attrs.field(factory=trio.Event)
    replaced: trio.Event = attrs.field(factory=trio.Event)
    home: trio.Event = attrs.field(factory=trio.Event)
    ended: trio.Event = attrs.field(factory=trio.Event)

    @property
    def sessions(self) -> Sessions:
        return self.tree.sessions

    @property
    def draining(self) -> bool:
        return self.parts is not None and self.parts.context.shutdown.draining

    def reach(self, end: End) -> None:
        """A client connects."""
        self.ends = [one for one in self.ends if not one.closed]
        self.ends.append(end)
        if self.serving.is_set() and not self.replaced.is_set():
            self.tree.connections.start_soon(self.tree.server.serve, end)
        else:
            self.waiting.append(end)

    def accept(self) -> None:
        self.serving.set()
        for end in self.waiting:
            self.tree.connections.start_soon(self.tree.server.serve, end)


@attrs.define(eq=False)
class House:
    """Where daemons live, one after the other, or a successor beside the one that it replaces. `living` has them, the newest last;
    `life` is the one that serves, `crashed` is told the number of each that is killed, `cut` has those
    that may leave calls behind, and `transferred` is told which calls of another one are to be kept by whom."""

    config: Config
    tools: tuple[Tool, ...]
    disk: Disk
    network: Network
    note: Callable[[str], None]
    crashed: Callable[[int], None]
    cut: set[int]
    transferred: Callable[[str, int], None]
    living: list[Life] = attrs.field(factory=list)
    lives: int = 0

    @property
    def life(self) -> Life | None:
        newest = self.living[-1] if self.living else None
        return newest if newest is not None and newest.serving.is_set() else None

    def life_of(self, context) -> Life | None:
        """The daemon whose context this is."""
        of = {id(life.parts.context): life for life in self.living if life.parts}
        return of.get(id(context))

    def begin(self, everything: trio.Nursery, old: Life | None = None) -> Life:
        """A daemon starts, to replace `old` if that is given."""
        self.lives += 1
        life = Life(self.lives, trio.CancelScope())
        self.note(f"daemon {life.number} starts" + (f" for {old.number}" if old else ""))
        self.living.append(life)
        everything.start_soon(self._live, life, old)
        return life

    async def wait_free(self) -> None:
        """Return when no daemon has the home."""
        while having := [one for one in self.living if not one.home.is_set()]:
            await having[-1].home.wait()

    async def _live(self, life: Life, old: Life | None) -> None:
        """Until it is cut, drained or replaced. What of its connections is left is cut with it."""
        try:
            async with trio.open_nursery() as disk:
                with life.everything:
                    async with trio.open_nursery() as background:
                        await self._serve(life, old, background, disk)
                        background.cancel_scope.cancel(reason="the daemon has ended")
                if life.crashed or life.journal is None:
                    disk.cancel_scope.cancel(reason="the process is gone")
                else:
                    life.journal.commits.close()
                    disk.cancel_scope.deadline = trio.current_time() + FLUSH_S
                    if self.network.fair:
                        await self._ask_too_late(life.journal.commits)
        finally:
            self.living.remove(life)
            if self.network.listener == life.reach:
                self.network.listener = None
            self._cut(life)
            if life.crashed and not self.living and self.config.durability == "power":
                self.disk.lose_power()
            self.note(f"daemon {life.number} ends")
            life.home.set()
            life.ended.set()

    async def _ask_too_late(self, commits: Commits) -> None:
        """What comes after the end is refused, and nobody waits for it."""
        fault = None
        with trio.move_on_after(1.0):
            fault = await fault_of(partial(commits.write, lambda _log: None))
        if fault is None:
            self.disk.fail("a log that is closed takes what is asked of it")

    async def _serve(
        self, life: Life, old: Life | None, background: trio.Nursery, disk: trio.Nursery
    ) -> None:
        stream = self._take_over(old, life) if old else None
        async with closing(stream):
            predecessor = await self._wait_left(old, life, stream) if old else None
            await self._wait_home(life)
            flushes = self.config.durability == "power"
            life.journal = self.disk.boot(alone=len(self.living) == 1, flushes=flushes)
            disk.start_soon(life.journal.commits.write_batches)
            life.parts = build(self.config, self._backends(life), port=8079)
            life.parts.budget.most, life.parts.budget.idle = 2**20, _IDLE_BYTES
            async with open_tree(life.parts, (), predecessor, self._periods()) as life.tree:
                if predecessor is not None:
                    background.start_soon(predecessor.run)
                await self._until_replaced(life)
                successor = life.parts.context.shutdown.successor
                async with closing(successor):
                    await Successor(life.sessions, successor).take_all(partial(self._leave, life))
                life.tree.connections.cancel_scope.deadline = trio.current_time() + _CLOSE_S

    async def _until_replaced(self, life: Life) -> None:
        async with trio.open_nursery() as jobs:
            jobs.start_soon(_restored, life.sessions)
            jobs.start_soon(life.tree.jobs.run)
            jobs.start_soon(self._tidy, life)
            life.accept()
            self.network.listener = life.reach
            await life.replaced.wait()
            jobs.cancel_scope.cancel(reason="replaced")

    def _take_over(self, old: Life, life: Life) -> End:
        """The listener is the new one's from now on; whoever connects waits."""
        here, there = self.network.between_daemons()
        old.ends.append(here)
        life.ends.append(there)
        old.parts.context.shutdown.successor = here
        self.network.listener = life.reach
        old.replaced.set()
        return there

    def _leave(self, life: Life) -> None:
        """It lets the next one in. If the disk did not take its calls for too long, it has cut them."""
        if life.sessions.calls._nursery is None:
            self.cut.add(life.number)
        life.home.set()

    async def _wait_left(self, old: Life, life: Life, stream: End) -> Predecessor:
        predecessor = Predecessor(stream)
        with trio.move_on_after(self.config.drain_s + _LEAVE_S):
            await predecessor.wait_left()
            for _, request in predecessor._calls:
                self.transferred(request.strip('"'), life.number)
            await old.home.wait()
        return predecessor

    async def _wait_home(self, life: Life) -> None:
        """A start that finds the home taken fails, and is tried again."""
        while any(not one.home.is_set() for one in self.living if one is not life):
            await trio.sleep(1.0)

    async def _tidy(self, life: Life) -> None:
        while True:
            await trio.sleep(20.0)
            await fault_of(life.journal.recover)
            await fault_of(life.journal.tidy)

    def _cut(self, life: Life) -> None:
        for end in life.ends:
            end.cut()

    def crash(self, life: Life | None) -> None:
        """The process is gone between two steps."""
        if life is None or life.crashed:
            return
        self.note(f"daemon {life.number} crashes")
        life.crashed = True
        self.crashed(life.number)
        self._cut_off()
        if self.network.listener == life.reach:
            self.network.listener = None
        self._cut(life)
        life.everything.cancel(reason="crash")

    def _cut_off(self) -> None:
        """Who was replaced has nobody to tell any more, if its successor goes, or that one's."""
        self.cut.update(one.number for one in self.living if one.replaced.is_set())

    async def drain(self) -> None:
        """The orderly end."""
        life = self.life
        if life is None or life.replaced.is_set():
            return
        self.note(f"daemon {life.number} drains")
        self.cut.add(life.number)
        self._cut_off()
        self.network.listener = None
        await drain(life.sessions, life.tree.connections)
        await trio.sleep(self.config.ws_close_timeout + 1)
        life.everything.cancel(reason="drained")

    def _backends(self, life: Life) -> Backends:
        store = MemoryStore()
        return Backends(
            models=Models(gateway=NoGateway()),
            conversations=store,
            threads=store,
            files=in_memory(now),
            ratios=MemoryRatios(),
            journal=life.journal,
            now=now,
            boot_id=f"boot{life.number}",
            tools=self.tools,
        )

    def _periods(self) -> Periods:
        """Nothing that writes files or gives memory back: that is done in threads."""
        return Periods(
            acks=30.0,
            calls=30.0,
            eviction=15.0,
            conversations=NEVER,
            bus=NEVER,
            store=NEVER,
            files=NEVER,
            health_file=NEVER,
            memory=NEVER,
            sizes=NEVER,
        )


async def _restored(sessions: Sessions) -> None:
    for _ in range(100):
        if sessions.restored or sessions.context.journal is None:
            return
        await trio.sleep(1)
        with suppress(StorageError):
            await sessions.restore()
