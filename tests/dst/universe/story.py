"""One universe from its beginning to its end: who acts, what goes wrong, and what is looked at after every step."""

import random

import attrs
import trio

from exai_trio.tools.general.result import TOOL as RESULT
from exai_trio.tools.registry import Registry
from exai_trio.transport.websocket import Limits

from .conversation import converse
from .disk import Disk
from .ending import check_given_back, tasks
from .house import House, Life
from .kinds import Kind, kind_of
from .misfortune import Misfortune
from .network import Network
from .oracle import Oracle
from .peace import ask_in_peace
from .probe import probe
from .window import Window
from .work import Workshop, tool

HOUR_S = 3600.0
PATIENCE_S = 1_000.0  # longer than any editor waits
ENOUGH_ANSWERED = 20  # beside a bug that was planted
_REST_S = 720.0  # whatever waits for a client has ended then


@attrs.define(eq=False)
class Universe(trio.abc.Instrument):
    """All of it. As an instrument it looks at the daemon after every step, and crashes it at the step that was drawn.

    The storm is over after `hours`. All of it is over as soon as a fault is found that has `sought` in it, and so many calls are
    answered that little else can be wrong."""

    seed: int
    hours: float
    sought: str = ""
    is_found: bool = False
    everything: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    trace: list = attrs.field(factory=list)
    kind: Kind = attrs.field(init=False)
    draw: random.Random = attrs.field(init=False)
    network: Network = attrs.field(init=False)
    disk: Disk = attrs.field(init=False)
    oracle: Oracle = attrs.field(init=False)
    house: House = attrs.field(init=False)
    workshop: Workshop = attrs.field(init=False)
    window: Window | None = None
    window_scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    windows: int = 0
    crash_in: int = 0

    def __attrs_post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.kind = kind_of(self.seed)
        limits = Limits(max_bytes=self.kind.config.ws_max_bytes, close_s=1.0)
        self.network = Network(self.draw, self.note, limits)
        self.disk = Disk(self.draw, lambda what: self.oracle.fail(what))  # noqa: PLW0108 - it is made later
        self.oracle = Oracle(self.note, self.kind, self.disk.late, self.disk.kept)
        self.workshop = Workshop(self._began, self.oracle.runs.end)
        tools = (
            RESULT,
            tool("work", self.workshop.run, repeatable=True),
            tool("once", self.workshop.run, repeatable=False),
            attrs.evolve(tool("long", self.workshop.run, repeatable=True), kind="workflow"),
        )
        self.house = House(
            self.kind.config,
            tools,
            self.disk,
            self.network,
            self.note,
            self.oracle.runs.killed,
            self.oracle.runs.cut,
            self.oracle.transferred,
        )

    def note(self, text: str) -> None:
        self.trace.append(f"{trio.current_time():.6f} {text}")

    def _began(self, mark: str, caller) -> int:
        """Returns the number of the daemon in which it runs."""
        life = self.house.life_of(caller.context)
        if life and mark:
            self.oracle.ran(mark, life.number, life.sessions.table.get(caller.session_id))
        return life.number if life else 0

    # Every step

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.sought:
            self._look_for_it()
        if self.window is not None and self.window.is_asleep:
            self.oracle.fail("a call waits in the shim, though its daemon has room for it")
        most = self.kind.config.ws_global_max_inflight
        for life in self.house.living:
            if life.parts is None:
                continue
            permits, running = life.parts.environment.permits, life.parts.calls.running()
            if permits.total_tokens != most:
                self.oracle.fail(f"permits are {permits.total_tokens}")
                permits.total_tokens = most
            if self.crash_in and running:
                self.crash_in -= 1
                if not self.crash_in:
                    self.house.crash(life)

    def _look_for_it(self) -> None:
        if self.is_found and self.oracle.tally.get("ok", 0) > ENOUGH_ANSWERED:
            self.everything.cancel(reason="it is found")
        self.is_found = self.is_found or any(
            self.sought in fault for fault in self.oracle.faults[-3:]
        )

    async def run(self) -> None:
        trio.lowlevel.add_instrument(self)
        with self.everything:
            async with trio.open_nursery() as everything:
                with trio.move_on_after(self.hours * HOUR_S):
                    await self._storm(everything)
                await self._calm_down(everything)
                everything.cancel_scope.cancel(reason="the end")
        trio.lowlevel.remove_instrument(self)

    async def _storm(self, everything: trio.Nursery) -> None:
        async with trio.open_nursery() as actors:
            actors.start_soon(self._daemons, everything)
            actors.start_soon(self._windows, everything)
            actors.start_soon(self._editor)
            actors.start_soon(self._impatient)
            actors.start_soon(self._misfortune, everything)
            actors.start_soon(probe, self)

    async def _daemons(self, everything: trio.Nursery) -> None:
        while True:
            await self.begin(everything)
            await self.house.wait_free()
            await trio.sleep(self.draw.choice((0.0, 0.3, 5.0, 40.0)))

    async def begin(self, everything: trio.Nursery, old: Life | None = None) -> None:
        """Return when a new daemon serves, or has ended before."""
        if self.kind.is_durable:
            self.oracle.check_remembered()
        life = self.house.begin(everything, old)
        async with trio.open_nursery() as either:
            either.start_soon(self._until, life.serving, either.cancel_scope)
            either.start_soon(self._until, life.ended, either.cancel_scope)

    async def _until(self, event: trio.Event, waiting: trio.CancelScope) -> None:
        await event.wait()
        waiting.cancel(reason="it is so")

    async def _windows(self, everything: trio.Nursery) -> None:
        while True:
            self._open_window(everything)
            await trio.sleep(self.draw.expovariate(1 / (4 * HOUR_S)))
            self._kill_window()

    def _kill_window(self) -> None:
        self.note(f"shim {self.window.name} is killed")
        self.oracle.lost(self.window.name)
        self.window_scope.cancel(reason="the shim is killed")

    def _open_window(self, everything: trio.Nursery) -> None:
        self.windows += 1
        self.window_scope = trio.CancelScope()
        listing = Registry.from_config(self.kind.config, self.house.tools).listing()
        name = f"w{self.windows}"
        self.window = Window(
            name, self.kind.config, self.network, self.draw, self.oracle, listing, everything
        )
        everything.start_soon(self._run_window, self.window, self.window_scope)

    async def _run_window(self, window: Window, scope: trio.CancelScope) -> None:
        with scope:
            await window.run()

    async def _editor(self) -> None:
        draw = self.draw
        while True:
            await trio.sleep(draw.expovariate(1 / 70.0))
            for _ in range(draw.choice((1, 1, 2, 6))):
                tool = draw.choice(("work", "work", "work", "once"))
                seconds = draw.choice((0.0, 0.01, 1.0, draw.uniform(0.0, 50.0)))
                window = self.window
                id_ = window.ask(tool, seconds, size=self._size())
                if draw.random() < 0.1:
                    await trio.sleep(draw.uniform(0.0, 3.0))
                    window.withdraw(id_)

    def _size(self) -> int:
        """Of an answer, beside its words: about as much as a frame holds, where frames are narrow."""
        most = self.kind.config.ws_max_bytes
        near = most < 2**20 and self.draw.random() < 0.3
        return self.draw.randrange(most - 2_000, most + 200) if near else 0

    async def _impatient(self) -> None:
        """An editor that gives up after a minute, and fetches later what it was given handles for, from whichever window there is."""
        draw = self.draw
        while True:
            await trio.sleep(draw.expovariate(1 / 200.0))
            self.window.ask("long", draw.uniform(30.0, 150.0), client="claude-ai")
            for call_id in list(self.oracle.handles)[-3:]:
                if draw.random() < 0.4:
                    await self._fetch(call_id, draw.choice((0.0, 5.0, 40.0)))

    async def _fetch(self, call_id: str, wait_s: float) -> None:
        window = self.window
        id_ = window.fetch(call_id, wait_s)
        if self.draw.random() < 0.3:
            await trio.sleep(self.draw.uniform(0.0, 3.0))
            window.withdraw(id_)

    async def _misfortune(self, everything: trio.Nursery) -> None:
        misfortune = Misfortune(self, everything)
        while True:
            await trio.sleep(self.draw.expovariate(1 / 150.0))
            await misfortune.strike()

    # The end

    async def _calm_down(self, everything: trio.Nursery) -> None:
        """No more misfortune: everybody who waits must be answered, and everything given back."""
        self.note("calm")
        self.crash_in = 0
        self.network.parted_until = 0.0
        self.disk.calm()
        self.network.fair = True
        await trio.sleep(30)  # a daemon that is being cut or replaced has gone then
        life = self.house.life
        if life is not None and life.draining and not life.replaced.is_set():
            # whoever drained it has left with the others
            self.house.crash(life)
            await life.ended.wait()
        await self._until_served(everything)
        for _ in range(int(PATIENCE_S / 10)):
            if not any(call.is_open for call in self.oracle.calls.values()):
                break
            await trio.sleep(10)
        self.oracle.check_all_answered()
        await self._fetch_all()
        await ask_in_peace(self, everything)
        await converse(self, everything)
        await trio.sleep(_REST_S)
        if self.house.life is None:
            self.oracle.fail("there is no daemon at the end")
            return
        await check_given_back(self.house.life, self.window, self.oracle)
        await self._compare_with_new(everything, self.house.life)

    async def _until_served(self, everything: trio.Nursery) -> None:
        """There is one daemon, and none beside it."""
        for _ in range(int(PATIENCE_S / 10)):
            if len(self.house.living) == 1 and self.house.life is not None:
                return
            if not self.house.living:
                await self.begin(everything)
            await trio.sleep(10)

    async def _fetch_all(self) -> None:
        """Nobody's work is lost that has a handle: it ends, and can be fetched."""
        for _ in range(int(PATIENCE_S / 50)):
            waiting = [id_ for id_, handed in self.oracle.handles.items() if not handed.told]
            for call_id in waiting:
                self.window.fetch(call_id, 0.0)
                await trio.sleep(1)
            if waiting:
                await trio.sleep(50)
        self.oracle.check_all_fetched()

    async def _compare_with_new(self, everything: trio.Nursery, old: Life) -> None:
        """A daemon and a shim that have lived through all that have no more tasks than new ones."""
        before = tasks()
        self._kill_window()
        self.house.crash(old)
        await old.ended.wait()
        await self.begin(everything)
        self._open_window(everything)
        await trio.sleep(_REST_S)
        if before > tasks():
            self.oracle.fail(f"{before} tasks at the end, {tasks()} in a new daemon and shim")
