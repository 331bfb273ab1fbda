"""The shim process: what an editor talks to.

It is put together here, and nothing is decided here. The MCP server answers before anything that needs a daemon is even
imported; the backend (relay and link) follows once the opening requests are answered. The process ends when its stdin does,
when nobody reads its stdout, at a signal, or when its parent is gone, and for no other reason.
"""

import logging
import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.mcp import jsonrpc
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import CancelCall, Effect, RootsChanged, Server, ToolListWanted
from exai_trio.system.import_memory import give_back
from exai_trio.system.last_signals import ending_once
from exai_trio.transport.stdio import LineWriter, private_stdio

from .client_roots import sendable
from .stdio_sink import StdioSink
from .tool_list_cache import ToolListCache

if TYPE_CHECKING:
    from .calls.relay import Relay
    from .link import Link

log = logging.getLogger("exai.shim")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SIGNAL_DRAIN_S: Final = 1.0  # editors kill what is still there two seconds after SIGTERM
_FLUSH_S: Final = 0.5
_CANCEL_S: Final = 0.5
_TICK_S: Final = 1.0
_SAY_AGAIN_S: Final = 60.0  # that the link fails each second
_WORTH_GIVING_BACK: Final = 2**20  # bytes that were written
_SETTLE_S: Final = (
    0.25  # the opening requests are answered before the processor is spent on imports
)

MakeBackend = Callable[["Shim"], tuple["Relay", "Link"]]


@structs.define(eq=False)
class Shim:
    """One run. `make_backend` builds relay and link, and imports them: that takes 40 ms, once."""

    config: Config
    stdin: trio.abc.ReceiveStream
    lines: LineWriter
    make_backend: MakeBackend
    roots: tuple[str, ...] = ()
    relay: "Relay | None" = None
    sink: StdioSink = attrs.field(init=False)
    server: Server = attrs.field(init=False)
    tool_list: ToolListCache = attrs.field(init=False)
    _greeted: trio.Event = attrs.field(factory=trio.Event)
    _ready: trio.Event = attrs.field(factory=trio.Event)
    _ending: trio.Event = attrs.field(factory=trio.Event)
    _draining: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _drain_s: float = attrs.field(init=False)
    _signalled: bool = False

    def __attrs_post_init__(self) -> None:
        self.roots = sendable(self.roots)
        self.sink = StdioSink(self.lines)
        self.server = Server(self.sink)
        self.tool_list = ToolListCache(self.config, self.server)
        self._drain_s = self.config.drain_s

    def __repr__(self) -> str:
        state = "ending" if self._ending.is_set() else "serving"
        return f"<Shim {state} {self.relay or 'no relay yet'}>"

    async def run(self, *, watch_process: bool = False) -> None:
        """Serve until stdin ends and what is in flight is delivered, or nobody reads our lines any more.

        The editor is heard until the end: what it does not want any more is not waited for. Cancelling cuts the line that is being
        written, and leaves what runs to the daemon, which hears of no cancel.
        """
        self.tool_list.recall()
        async with trio.open_nursery() as legs:
            legs.start_soon(self._write)
            legs.start_soon(self._connect)
            if watch_process:
                legs.start_soon(self._watch_signals)
            legs.start_soon(self._tick, os.getppid() if watch_process else None)
            legs.start_soon(self._expire)
            async with trio.open_nursery() as background, trio.open_nursery() as hearing:
                hearing.start_soon(self._read, background)
                await self._ending.wait()
                log.info("ending", extra={"state": repr(self)})
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

    async def _read(self, background: trio.Nursery) -> None:
        splitter = jsonrpc.LineSplitter()
        while data := await self._receive():
            for line in splitter.feed(data):
                await self._hear(line, background)
            await self.lines.wait_room()
        await self._hear(splitter.end(), background)
        self._ending.set()

    async def _receive(self) -> bytes:
        try:
            # audit: limit, because one read of a pipe takes no more
            return bytes(await self.stdin.receive_some(65_536))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # audit: empty-handler, because an empty piece is the end of the input
            return b""

    async def _hear(self, line: bytes | jsonrpc.TooLong, background: trio.Nursery) -> None:
        message = jsonrpc.parse(line)
        if message is None:
            return
        try:
            for effect in self.server.hear(message):
                await self._do(effect, background)
        except Exception:
            log.exception("a message was not handled")
            if isinstance(message, jsonrpc.Request):
                line = jsonrpc.error(message.id, -32603, "the request could not be handled")
                self.sink.put(line, message.id)
        is_list = isinstance(message, jsonrpc.Request) and message.method == "tools/list"
        if is_list and self.server.listing is not None:
            self._greeted.set()

    async def _do(self, effect: Effect, background: trio.Nursery) -> None:
        match effect:
            case Call():
                (await self._backend()).bridge.start(effect, trio.current_time())
            case CancelCall():
                (await self._backend()).bridge.withdraw(effect.id)
            case RootsChanged():
                self.roots = sendable(effect.paths)
                if self.relay is not None:
                    self.relay.roots = self.roots
            case ToolListWanted():
                background.start_soon(self._build_tool_list)

    async def _backend(self) -> "Relay":
        """The relay, as soon as it is there."""
        if self.relay is None:
            self._greeted.set()
            await self._ready.wait()
        assert self.relay is not None
        return self.relay

    async def _build_tool_list(self) -> None:
        try:
            if self.tool_list.declares_at_once:
                listing = self.tool_list.declare()
            else:
                listing = await trio.to_thread.run_sync(self.tool_list.declare)
            if self.server.listing is None:
                self.tool_list.offer(listing)
        except Exception:
            log.exception("own tool list not built")
        self._greeted.set()

    # The daemon's side

    async def _connect(self) -> None:
        """Fetch the backend and keep the link going, whatever happens in it."""
        with trio.move_on_after(_SETTLE_S):
            await self._greeted.wait()
            await self.lines.wait_empty()
        relay, link = self.make_backend(self)  # not in a thread: its memory arena alone is 0.4 MiB
        relay.roots = self.roots
        self.relay = relay
        self._ready.set()
        _imported("system.garbage_collector").settle()
        failed, said_at = 0, float("-inf")
        while True:
            try:
                await link.run()
            except Exception:
                failed += 1
                if trio.current_time() - said_at >= _SAY_AGAIN_S:
                    said_at = trio.current_time()
                    log.exception("link failed, begins again", extra={"failures": failed})
                await trio.sleep(_TICK_S)

    # Time and the process

    async def _tick(self, parent: int | None) -> None:
        while True:
            await trio.sleep(_TICK_S)
            if self.relay is not None:
                self.relay.break_silence()
                self._give_back_memory(self.relay)
            if parent is not None and os.getppid() != parent:
                self._leave("the parent process is gone")
                return

    def _give_back_memory(self, relay: "Relay") -> None:
        """What large answers took, once nobody waits for any. Blocks for some milliseconds."""
        if self.sink.written >= _WORTH_GIVING_BACK and not len(relay.bridge.calls):
            self.sink.written = 0
            _imported("system.malloc").trim()

    async def _expire(self) -> None:
        """Answer what is late, when it is; of a call that comes meanwhile a tick later at most."""
        await self._ready.wait()
        bridge = (await self._backend()).bridge
        while True:
            left_s = bridge.soonest_deadline() - trio.current_time()
            await trio.sleep(max(0.0, min(_TICK_S, left_s)))
            bridge.expire(trio.current_time())

    async def _watch_signals(self) -> None:
        """The first signal ends reading and shortens the drain, the second cuts it."""
        listens = trio.Event()
        with (
            ending_once(listens, *_SIGNALS),
            trio.open_signal_receiver(*_SIGNALS) as signals,
        ):
            listens.set()
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
            if self.relay is not None:
                await self.relay.bridge.wait_idle()
            await self.lines.wait_empty()
        if self.relay is not None:
            self.relay.bridge.give_up_all("the editor closed the connection before an answer came")
            with trio.move_on_after(_CANCEL_S):
                await self.relay.wait_cancelled()

    async def _say_farewell(self) -> None:
        self.server.farewell()
        with trio.move_on_after(_FLUSH_S):
            await self.lines.wait_empty()


def daemon_backend(shim: Shim) -> tuple["Relay", "Link"]:
    """Relay and link to the daemon of the configuration."""
    backend = _imported("shim.backend")
    made: tuple[Relay, Link] = backend.to_daemon(
        shim.config, shim.sink, shim.tool_list, shim.lines.wait_room
    )
    give_back()
    return made


def _imported(name: str) -> Any:
    return import_module(f"exai_trio.{name}")


def working_directory() -> tuple[str, ...]:
    """Where the editor started us, unless that says nothing: some start their servers in the root directory."""
    here = Path.cwd()
    return () if here == Path(here.anchor) else (str(here),)


async def run(config: Config) -> None:
    """Be the shim on this process's stdin and stdout until the editor is gone. Cancelling gives descriptors 0 and 1 back."""
    with private_stdio() as (stdin, stdout):
        shim = Shim(config, stdin, LineWriter(stdout), daemon_backend, working_directory())
        await shim.run(watch_process=True)
