"""A daemon without sockets, files or providers: real sessions, calls and connections over memory streams."""

import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair

from exai_trio.config import Config
from exai_trio.daemon.calls.lifecycle import Calls
from exai_trio.daemon.clock_trust import ClockTrust
from exai_trio.daemon.connections.accept import Server
from exai_trio.daemon.connections.admission import Places
from exai_trio.daemon.connections.auth import Tokens
from exai_trio.daemon.context import Shared
from exai_trio.daemon.health.counters import Figures
from exai_trio.daemon.health.report import Facts
from exai_trio.daemon.jobs.jobs import Jobs
from exai_trio.daemon.jobs.supervision import every
from exai_trio.daemon.live_registry import Toolset
from exai_trio.daemon.sessions.eviction import Relief
from exai_trio.daemon.sessions.lookup import Archive
from exai_trio.daemon.sessions.registry import Sessions
from exai_trio.errors import StorageError
from exai_trio.observability.metrics import CallLog
from exai_trio.storage.memory.journal import MemoryJournal
from exai_trio.storage.memory.store import MemoryStore
from exai_trio.storage.sqlite.uploads import MemoryUploads
from exai_trio.tools.base import Answer, Services, Tool
from exai_trio.tools.files.upload_locks import UploadDesk
from exai_trio.tools.registry import BUILT_IN, Registry
from exai_trio.transport.websocket import Limits, client_on
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.hosts import OurNames
from exai_trio.wire.messages import Ack, CallTool, Hello

sys.path.insert(0, str(Path(__file__).parent))  # the modules that these tests share are beside them

START = 1_790_000_000.0


@attrs.frozen(kw_only=True)
class NapArguments:
    """Arguments of a tool that sleeps, fails, waits or says things, for tests."""

    seconds: float = 0.0
    fault: str = ""
    stages: list[str] = attrs.field(factory=list)
    chunks: list[str] = attrs.field(factory=list)
    slow_to_end: float = 0.0


class SilentGateway:
    """Stands where no provider is configured."""

    def providers(self):
        return ()

    def permits(self):
        return {}


@attrs.define
class Naps:
    """A tool that records what becomes of its runs."""

    started: int = 0
    finished: int = 0
    cancelled: int = 0

    async def run(self, arguments, caller, _services):
        self.started += 1
        try:
            for stage in arguments.stages:
                caller.stage(stage, f"now {stage}")
            for chunk in arguments.chunks:
                caller.chunk(chunk)
            await trio.sleep(arguments.seconds)
        except trio.Cancelled:
            self.cancelled += 1
            with trio.CancelScope(shield=True):
                await trio.sleep(arguments.slow_to_end)
            raise
        if arguments.fault:
            raise ValueError(arguments.fault)
        self.finished += 1
        return Answer(text=f"slept {arguments.seconds:g}", usage={"input_tokens": 1})


@attrs.define
class Client:
    """One connection to the daemon, spoken to in messages."""

    socket: object
    last_seq: int = 0

    async def say(self, *messages):
        await self.socket.send(*[m if isinstance(m, str) else encode(m) for m in messages])

    async def hear(self):
        """The next message; its number is remembered."""
        heard = decode_daemon(await self.socket.receive())
        if heard.seq is not None:
            self.last_seq = heard.seq
        return heard.message

    async def hear_until(self, kind):
        """Skip to the next message of this kind."""
        while not isinstance(message := await self.hear(), kind):
            pass
        return message

    async def acknowledge(self):
        await self.say(Ack(seq=self.last_seq))

    async def nap(self, request_id="r1", **arguments):
        timeout = arguments.pop("timeout_s", None)
        stream = arguments.pop("stream", False)
        handle = arguments.pop("handle_after_s", None)
        await self.say(
            CallTool(
                request_id=request_id,
                name="nap",
                arguments=arguments,
                timeout_s=timeout,
                stream=stream,
                handle_after_s=handle,
            )
        )


@attrs.define
class House:
    """The daemon's parts under test and the nurseries they live in."""

    shared: Shared
    sessions: Sessions
    server: Server
    connections: trio.Nursery
    naps: Naps

    @asynccontextmanager
    async def connect_raw(self, pair=memory_stream_pair):
        """A WebSocket without a hello; on a `lockstep_stream_pair` the daemon notices that nobody reads."""
        ours, theirs = pair()
        self.connections.start_soon(self.server.serve, theirs)
        async with client_on(ours, "localhost", Limits()) as socket:
            yield Client(socket)

    @asynccontextmanager
    async def connect(self, pair=memory_stream_pair, **hello):
        """A client that has said hello; yields it and the daemon's answer."""
        hello.setdefault("protocol", 2)
        async with self.connect_raw(pair) as client:
            await client.say(Hello(**hello))
            yield client, await client.hear()

    @property
    def calls(self):
        return self.sessions.calls

    @property
    def free_permits(self):
        return self.shared.permits.total_tokens - self.shared.permits.borrowed_tokens


@asynccontextmanager
async def open_house(journal=None, *, repeatable=True, elsewhere=None, tools=(), **settings):
    if journal is None and settings.get("durability") != "off":
        journal = MemoryJournal()
    settings.setdefault("home", Path("/nowhere"))
    settings.setdefault("tool_profile", "full")
    config = Config(**settings)
    naps = Naps()
    nap = Tool(
        name="nap",
        description="Sleep.",
        arguments=NapArguments,
        run=naps.run,
        repeatable=repeatable,
    )
    registry = Toolset(Registry.from_config(config, (*BUILT_IN, nap, *tools)))
    async with trio.open_nursery() as app, trio.open_nursery() as living, trio.open_nursery() as connections:  # fmt: skip
        shared = _shared(config, registry, journal)
        calls = Calls(shared, detached=shared.services.calls.detached)
        await app.start(calls.run)
        sessions = Sessions(shared, living, calls, elsewhere, table=shared.services.calls.sessions)
        with suppress(StorageError):
            await sessions.restore()
        server = Server(shared, sessions, OurNames.of(config), Places(config), Limits(close_s=1.0))
        living.start_soon(
            every, config.progress_interval_s / 4, Jobs(shared, sessions).say_progress
        )
        living.start_soon(every, 0.25, Relief(sessions).look)
        try:
            yield House(shared, sessions, server, connections, naps)
        finally:  # also when a drain without any time has cut the test along with the connections
            app.cancel_scope.cancel()
        connections.cancel_scope.cancel()


def _shared(config, registry, journal):
    draining, figures = trio.Event(), Figures()
    permits = trio.CapacityLimiter(config.ws_global_max_inflight)
    facts = Facts(
        config=config,
        boot_id="boot",
        port=8079,
        started_at=START,
        now=lambda: START + trio.current_time(),
        figures=figures,
        permits=permits,
        draining=draining,
        gateway=SilentGateway(),
        registry=registry,
        simulator=None,
    )
    journal = None if config.durability == "off" else journal
    sessions = {}
    services = Services(
        calls=Archive(sessions, {}, journal),
        config=config,
        gateway=SilentGateway(),
        conversations=MemoryStore(),
        threads=MemoryStore(),
        uploads=UploadDesk(MemoryUploads()),
        daemon=facts,
        tool_names=tuple,
        now=lambda: START + trio.current_time(),
    )
    return Shared(
        config=config,
        boot_id="boot",
        registry=registry,
        services=services,
        tokens=Tokens(config, now=lambda: START + trio.current_time()),
        clock=ClockTrust(None, trio.current_time()),
        call_log=CallLog(config.logs / "metrics"),
        permits=permits,
        now=lambda: START + trio.current_time(),
        figures=figures,
        facts=facts,
        draining=draining,
        journal=journal,
    )


@pytest.fixture
def house():
    """`async with house(ws_token="…") as daemon:` opens a daemon with these settings."""
    return open_house


@pytest.fixture
def journal():
    """What one daemon leaves to the next."""
    return MemoryJournal()
