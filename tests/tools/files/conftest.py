"""The file tools with the real gateway, real files and the simulator over real HTTP; or with a provider in memory."""

import ssl
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import httpx2
import pytest
from files_in_memory import in_memory

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import Backends, Models
from exai_trio.providers.gateway import open_gateway
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.tools.arguments import parse
from exai_trio.tools.base import Services
from exai_trio.tools.registry import BUILT_IN, Registry
from exai_trio.workspace.read import NOTHING_FOUND, Found

sys.path.insert(0, str(Path(__file__).parent))

from provider_in_memory import FilesGateway


@attrs.define
class Caller:
    """A running call that nobody listens to."""

    roots: tuple = ()
    found: Found = NOTHING_FOUND
    request_id: str = "r1"
    session_id: str = "s1"
    principal: str = "owner"
    attempt: int = 1
    idempotency_key: str = "s1:r1"

    def stage(self, stage, message):
        """Said to nobody."""

    def chunk(self, text):
        """Said to nobody."""

    def waited_for_provider(self, provider, seconds):
        """Said to nobody."""

    def latency_metrics(self):
        return {"latency_ms": 5.0, "global_sem_wait_ms": 1.0, "provider_sem_wait_ms": 2.0}

    def requested(self, request):
        """Said to nobody."""

    def flows(self, until):
        return until


def _http():
    return httpx2.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)


@attrs.define
class Clock:
    """The tools' and the registry's."""

    at: float = 1_800_000_000.0

    def __call__(self):
        return self.at


@attrs.define
class Works:
    """Everything a tool is run with, at the simulator."""

    services: Services
    origin: str
    caller: Caller
    clock: Clock

    async def call(self, name, **arguments):
        tool = Registry(tools=BUILT_IN).get(name)
        return await tool.run(parse(tool, arguments), self.caller, self.services)

    async def said(self, name, **arguments):
        return (await self.call(name, **arguments)).structured

    async def requests(self, path=None):
        """What the simulator was asked, newest last."""
        params = {} if path is None else {"path": path}
        async with _http() as http:
            answer = await http.get(f"{self.origin}/_requests", params=params)
        return answer.json()["requests"]

    async def arm(self, **fault):
        """The simulator's next request is answered so."""
        async with _http() as http:
            (await http.post(f"{self.origin}/_control", json=fault)).raise_for_status()

    async def uploads(self):
        return [each for each in await self.requests("/files") if each["method"] == "POST"]


@asynccontextmanager
async def open_works(origin, root, **settings):
    config = Config(
        home=root.parent / "home", circuit_breaker_enabled=False, allowed_roots=(root,), **settings
    )
    clock = Clock()
    async with open_gateway(config, simulator_url=origin) as gateway:
        backends = Backends(
            models=Models(gateway=gateway, simulator=origin),
            conversations=MemoryStore(),
            threads=MemoryStore(),
            files=in_memory(clock, root.parent / "home" / "files" / "objects"),
            ratios=MemoryRatios(),
            now=clock,
        )
        services = build(config, backends, port=0).environment.services
        yield Works(services, origin, Caller(roots=(root,)), clock)


@pytest.fixture
def root(tmp_path):
    """An allowed root with a text and a document, beside a secret."""
    base = tmp_path.resolve()
    root = base / "root"
    root.mkdir()
    (root / "a.txt").write_text("alpha text\n")
    (root / "b.pdf").write_bytes(b"%PDF beta \0 document")
    (base / "secret.txt").write_text("SECRET-BYTES")
    return root


@pytest.fixture
async def origin(nursery):
    from exai_trio.simulator.app import serve

    return await nursery.start(partial(serve, "127.0.0.1", 0))


@pytest.fixture
async def works(origin, root):
    async with open_works(origin, root) as opened:
        yield opened


@attrs.define
class WorksInMemory(Works):
    """Nobody is reached; `gateway` has the providers' files."""

    gateway: FilesGateway

    @property
    def kimi(self):
        return self.gateway.stores["kimi"]

    async def uploads(self):
        return [name for store in self.gateway.stores.values() for name in store.sent]


@pytest.fixture
async def works_in_memory(bench, root):
    clock = Clock()
    gateway = FilesGateway(bench.gateway)
    home = root.parent / "home"
    bench.gateway, bench.clock = gateway, clock
    bench.config = Config(home=home, allowed_roots=(root,))
    bench.files = in_memory(clock, home / "files" / "objects")
    return WorksInMemory(bench.services, "", Caller(roots=(root,)), clock, gateway)
