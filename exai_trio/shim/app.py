"""The shim process: what an editor talks to. It is put together here, and nothing is decided here.

The front desk answers before anything that needs a daemon is even imported; the back office (bridge and link) follows
once the opening requests are answered. The process ends when its stdin does, when nobody reads its
stdout, at a signal, or when its parent is gone, and for no other reason.
"""

import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.mcp import jsonrpc
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import Effect, FrontDesk, RootsGiven, Say, WantListing, Withdraw
from exai_trio.system.import_memory import give_back, versions_without_metadata
from exai_trio.transport.stdio import LineWriter, private_stdio

from .tool_list_cache import Catalogue

if TYPE_CHECKING:
    from .bridge import Bridge
    from .link import Link

log = logging.getLogger("exai.shim")

_SIGNAL_DRAIN_S: Final = 1.0  # editors kill what is still there two seconds after SIGTERM
_FLUSH_S: Final = 0.5
_CANCEL_S: Final = 0.5
_TICK_S: Final = 1.0
_SETTLE_S: Final = (
    0.25  # the opening requests are answered before the processor is spent on imports
)

BackOffice = Callable[["Shim"], tuple["Bridge", "Link"]]


@structs.define(eq=False)
class Shim:
    """One run. `back_office` builds bridge and link, and imports them: that takes 40 ms, once."""

    config: Config
    stdin: trio.abc.ReceiveStream
    lines: LineWriter
    back_office: BackOffice
    roots: tuple[str, ...] = ()
    desk: FrontDesk = attrs.field(factory=FrontDesk)
    bridge: "Bridge | None" = None
    catalogue: Catalogue = attrs.field(init=False)
    _greeted: trio.Event = attrs.field(factory=trio.Event)
    _staffed: trio.Event = attrs.field(factory=trio.Event)
    _ending: trio.Event = attrs.field(factory=trio.Event)
    _draining: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _drain_s: float = attrs.field(init=False)
    _signalled: bool = False

    def __attrs_post_init__(self) -> None:
        self.catalogue = Catalogue(self.config, self.desk, self.lines)
        self._drain_s = self.config.drain_s

    async def run(self, *, watch_process: bool = False) -> None:
        """Serve until stdin ends and what is in flight is delivered, or nobody reads our lines any more.

        The editor is heard until the end: what it does not want any more is not waited for.
        """
        self.catalogue.recall()
        async with trio.open_nursery() as legs:
            legs.start_soon(self._write)
            legs.start_soon(self._work)
            if watch_process:
                legs.start_soon(self._watch_signals)
            legs.start_soon(self._tick, os.getppid() if watch_process else None)
            legs.start_soon(self._expire)
            async with trio.open_nursery() as asides, trio.open_nursery() as hearing:
                hearing.start_soon(self._read, asides)
                await self._ending.wait()
                await self._deliver()
                hearing.cancel_scope.cancel(reason="the editor has gone")
            await self._say_farewell()
            legs.cancel_scope.cancel(reason="the editor has gone")

    async def _write(self) -> None:
        try:
            await self.lines.run()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._leave("nobody reads our output")

    def _leave(self, why: str) -> None:
        """Nobody is there to be answered: wait for nothing, but have cancelled what runs."""
        log.info(why)
        self._draining.cancel(reason=why)
        self._ending.set()

    # The editor's side

    async def _read(self, asides: trio.Nursery) -> None:
        splitter = jsonrpc.LineSplitter()
        while data := await self._receive():
            for line in splitter.feed(data):
                await self._hear(line, asides)
            await self.lines.wait_room()
        await self._hear(splitter.end(), asides)
        self._ending.set()

    async def _receive(self) -> bytes:
        try:
            return bytes(await self.stdin.receive_some(65_536))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # audit: empty-handler, because an empty piece is the end of the input
            return b""

    async def _hear(self, line: bytes | jsonrpc.TooLong, asides: trio.Nursery) -> None:
        message = jsonrpc.parse(line)
        if message is None:
            return
        try:
            for effect in self.desk.hear(message):
                await self._do(effect, asides)
        except Exception:
            log.exception("a message was not handled")
            if isinstance(message, jsonrpc.Request):
                self.lines.put(
                    jsonrpc.error(message.id, -32603, "the request could not be handled")
                )
        if isinstance(message, jsonrpc.Request) and message.method == "tools/list":
            self._greeted.set()

    async def _do(self, effect: Effect, asides: trio.Nursery) -> None:
        match effect:
            case Say():
                self.lines.put(effect.line)
            case Call():
                (await self._staff()).start(effect, trio.current_time())
            case Withdraw():
                (await self._staff()).withdraw(effect.id)
            case RootsGiven():
                self.roots = effect.paths
                if self.bridge is not None:
                    self.bridge.roots = effect.paths
            case WantListing():
                asides.start_soon(self._declare)

    async def _staff(self) -> "Bridge":
        """The bridge, as soon as it is there."""
        if self.bridge is None:
            self._greeted.set()
            await self._staffed.wait()
        assert self.bridge is not None  # noqa: S101  # that is what the event says
        return self.bridge

    async def _declare(self) -> None:
        catalogue = self.catalogue
        try:
            if catalogue.declares_at_once:
                listing = catalogue.declare()
            else:
                listing = await trio.to_thread.run_sync(catalogue.declare)
        except Exception:
            log.exception("own tool list not built")
            return
        if self.desk.listing is None:
            self.catalogue.offer(listing)

    # The daemon's side

    async def _work(self) -> None:
        """Fetch the back office and keep the link going, whatever happens in it."""
        with trio.move_on_after(_SETTLE_S):
            await self._greeted.wait()
            await self.lines.wait_empty()
        bridge, link = self.back_office(self)  # not in a thread: its memory arena alone is 0.4 MiB
        bridge.roots = self.roots
        self.bridge = bridge
        self._staffed.set()
        _imported("system.garbage_collector").settle()
        while True:
            try:
                await link.run()
            except Exception:
                log.exception("link failed, begins again")
                await trio.sleep(_TICK_S)

    # Time and the process

    async def _tick(self, parent: int | None) -> None:
        while True:
            await trio.sleep(_TICK_S)
            if self.bridge is not None:
                self.bridge.break_silence()
            if parent is not None and os.getppid() != parent:
                self._leave("the parent process is gone")
                return

    async def _expire(self) -> None:
        """Answer what is late, when it is; of a call that comes meanwhile a tick later at most."""
        await self._staffed.wait()
        bridge = await self._staff()
        while True:
            left_s = bridge.soonest_deadline() - trio.current_time()
            await trio.sleep(max(0.0, min(_TICK_S, left_s)))
            bridge.expire(trio.current_time())

    async def _watch_signals(self) -> None:
        """The first signal ends reading and shortens the drain, the second cuts it."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                log.info("signal", extra={"number": number})
                if self._signalled:
                    self._draining.cancel(reason="second signal")
                self._signalled = True
                self._ending.set()
                self._drain_s = min(self._drain_s, _SIGNAL_DRAIN_S)
                self._draining.deadline = trio.current_time() + self._drain_s

    async def _deliver(self) -> None:
        """Wait for the answers in flight; then say that no more will come, and have cancelled what runs for them."""
        self._draining.deadline = trio.current_time() + self._drain_s
        with self._draining:
            if self.bridge is not None:
                await self.bridge.wait_idle()
            await self.lines.wait_empty()
        if self.bridge is not None:
            self.bridge.give_up_all("the editor closed the connection before an answer came")
            with trio.move_on_after(_CANCEL_S):
                await self.bridge.wait_cancelled()

    async def _say_farewell(self) -> None:
        for line in self.desk.farewell():
            self.lines.put(line)
        with trio.move_on_after(_FLUSH_S):
            await self.lines.wait_empty()


def daemon_back_office(shim: Shim) -> tuple["Bridge", "Link"]:
    """Bridge and link to the daemon of the configuration."""
    with versions_without_metadata():
        websocket = _imported("transport.websocket")
    bridge_module, link_module, large = map(
        _imported, ("shim.bridge", "shim.link", "mcp.large_results")
    )
    config = shim.config
    bridge = bridge_module.Bridge(
        shim.lines,
        large.Shelf(config.home / "files"),
        max_frame=config.ws_max_bytes,
        client_s=config.client_timeout_s,
    )
    limits = websocket.Limits(max_bytes=config.ws_max_bytes, close_s=config.ws_close_timeout)
    dial = partial(websocket.connect, config.client_host, config.ws_port, limits)
    starter = None
    if config.ws_autostart and config.loopback_only:
        autostart = _imported("shim.autostart")
        command = autostart.daemon_command(config)
        starter = autostart.Starter(
            config.client_host, config.ws_port, config.state, command, config.drain_s
        )
    give_back()
    ensure = starter.ensure if starter else None
    return bridge, link_module.Link(config, bridge, shim.catalogue, dial, ensure, starter)


def _imported(name: str) -> Any:  # noqa: ANN401  # a module
    return import_module(f"exai_trio.{name}")


def working_directory() -> tuple[str, ...]:
    """Where the editor started us, unless that says nothing: some start their servers in the root directory."""
    here = Path.cwd()
    return () if here == Path(here.anchor) else (str(here),)


async def run(config: Config) -> None:
    """Be the shim on this process's stdin and stdout until the editor is gone."""
    with private_stdio() as (stdin, stdout):
        shim = Shim(config, stdin, LineWriter(stdout), daemon_back_office, working_directory())
        await shim.run(watch_process=True)
