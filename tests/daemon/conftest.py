"""A daemon without sockets, files or providers: real sessions, calls and connections over memory streams."""

import sys
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from files_in_memory import in_memory
from journal_in_memory import MemoryJournal
from payloads_in_memory import MemoryPayloads
from trio.testing import memory_stream_pair

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import Backends, Models
from exai_trio.daemon.jobs.jobs import Periods
from exai_trio.daemon.lifetime import Parts, Tree, open_tree, restore
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.providers.attempts import to_nobody
from exai_trio.providers.requesting.guards import Guards
from exai_trio.resilience.breakers import Breakers
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.tools.base import Answer, Tool
from exai_trio.tools.registry import BUILT_IN
from exai_trio.transport.websocket import Limits, client_on
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import Ack, CallTool, Hello

sys.path.insert(0, str(Path(__file__).parent))  # the modules that these tests share are beside them

START = 1_790_000_000.0
NEVER = float("inf")
# What writes files or gives memory back does so in threads, which the tests' clock does not wait for.
PERIODS = Periods(
    acks=NEVER,
    journal=NEVER,
    conversations=NEVER,
    bus=NEVER,
    store=NEVER,
    files=NEVER,
    health_file=NEVER,
    memory=NEVER,
    sizes=NEVER,
)


@attrs.frozen(kw_only=True)
class NapArguments:
    """Arguments of a tool that sleeps, fails, waits or says things, for tests."""

    seconds: float = 0.0
    fault: str = ""
    stages: list[str] = attrs.field(factory=list)
    chunks: list[str] = attrs.field(factory=list)
    between: float = 0.0
    then: str = ""
    slow_to_end: float = 0.0


class SilentGateway:
    """Stands where no provider is configured."""

    keys = KnownSecrets()
    guards = Guards(Breakers(0, 0.0), lambda: 0.5, to_nobody)

    def breakers(self):
        return {}

    def providers(self):
        return ()

    def permits(self):
        return {}

    def limits(self):
        return {}

    def catalogue(self):
        return ()

    async def look_again(self):
        return


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
                if arguments.between:
                    await trio.sleep(arguments.between)
            if arguments.then:
                caller.stage(arguments.then, "")
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
    """The daemon under test: its parts and the nurseries they live in."""

    parts: Parts
    tree: Tree
    naps: Naps

    @property
    def context(self):
        return self.parts.context

    @property
    def counted(self):
        """What the meters say now."""
        return self.report.figures()

    @property
    def environment(self):
        return self.parts.environment

    @property
    def report(self):
        return self.parts.report

    @property
    def jobs(self):
        return self.tree.jobs

    @property
    def sessions(self):
        return self.tree.sessions

    @property
    def calls(self):
        return self.parts.calls

    @property
    def server(self):
        return self.tree.server

    @property
    def connections(self):
        return self.tree.connections

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
    def free_permits(self):
        return self.environment.permits.available_tokens


@asynccontextmanager
async def open_house(
    journal=None,
    *,
    repeatable=True,
    predecessor=None,
    tools=(),
    payloads=None,
    backends=None,
    periods=None,
    **settings,
):
    """Its jobs run as in PERIODS, but for those that `periods` has others for."""
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
    given = attrs.evolve(_backends(journal, (*BUILT_IN, nap, *tools), payloads), **(backends or {}))
    parts = build(config, given, port=8079)
    async with (
        open_tree(
            parts, predecessor=predecessor, periods=attrs.evolve(PERIODS, **(periods or {}))
        ) as tree,
        trio.open_nursery() as background,
    ):
        await restore(tree.sessions)
        background.start_soon(tree.jobs.run)
        try:
            yield House(parts, tree, naps)
        finally:
            background.cancel_scope.cancel()
            tree.connections.cancel_scope.cancel()


def _backends(journal, tools, payloads):
    store = MemoryStore()
    return Backends(
        models=Models(gateway=SilentGateway()),
        conversations=store,
        threads=store,
        files=in_memory(lambda: START + trio.current_time()),
        ratios=MemoryRatios(),
        payloads=payloads or MemoryPayloads(),
        journal=journal,
        now=lambda: START + trio.current_time(),
        boot_id="boot",
        tools=tools,
    )


@pytest.fixture
def house():
    """`async with house(ws_token="…") as daemon:` opens a daemon with these settings."""
    return open_house


@pytest.fixture
def silent_gateway():
    """For gateways that answer something."""
    return SilentGateway()


@pytest.fixture
def journal():
    """What one daemon leaves to the next."""
    return MemoryJournal()
