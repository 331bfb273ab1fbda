"""The services of docs/deploy/compose.yaml: two daemons behind the balancer on one database, started for a check, hurt, and tried by an editor."""

import json
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio
from chaos.children import EXAI, environment
from chaos.provider import get

from .canaries import TOKEN
from .engine import ROOT, Engine, EngineError
from .services import READY_S, Services
from .steps import Bench, Broken, Step, ask, good

SERVICES: Final = "exai-services"  # an image with haproxy, PostgreSQL and Redis of Debian
_PACKAGES: Final = "haproxy postgresql redis-server"
_ADDRESSES: Final = {"daemon-a": "127.0.0.2", "daemon-b": "127.0.0.3"}
_FILES: Final = (ROOT / "docs" / "deploy" / "compose.yaml", ROOT / "scripts/containers/team.yaml")
_PROFILED: Final = ("--profile", "redis")
_STARTED: Final = ("database", "redis", "migrate", *_ADDRESSES, "balancer")
_LONG_S: Final = 60.0


def of_team(engine: Engine) -> Engine:
    """The same for the services of a team."""
    return attrs.evolve(engine, files=_FILES)


def build_services(engine: Engine) -> None:
    """The image of what is not ours, if it is missing. Raises EngineError."""
    if engine.podman("images", "--quiet", SERVICES):
        return
    install = f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {_PACKAGES}"
    made = "install -d -o postgres /var/lib/postgresql/data && install -d -o redis /data"
    script = f"export DEBIAN_FRONTEND=noninteractive; ({install} && {made}) >/dev/null"
    making = "exai_making"
    try:
        engine.podman("run", "--name", making, "--network", "host", "exai-base", "sh", "-c", script)
        engine.podman("commit", "--quiet", "--change", "CMD []", making, SERVICES)
    finally:
        engine.podman("rm", "-f", making)


@attrs.define(eq=False)
class TeamServices(Services):
    """`place` has the balancer's configuration, too."""

    @property
    def settings(self) -> dict[str, str]:
        more = {"POSTGRES_PASSWORD": TOKEN, "CHECK_HAPROXY": str(self.place / "haproxy.cfg")}
        return super().settings | more

    def prepare(self) -> None:
        self.projects.mkdir(parents=True)
        config = (ROOT / "docs" / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
        config = config.replace("bind :", "bind 127.0.0.1:").replace("maxconn 4096", "maxconn 1024")
        for name, address in _ADDRESSES.items():
            config = config.replace(f"{name}:", f"{address}:")
        (self.place / "haproxy.cfg").write_text(config, encoding="utf-8")

    async def up(self) -> float:
        """Seconds until a client would be served: all are made first and started in the order that compose.yaml asks for, as docker
        compose does it; there may be no systemd that asks for health."""
        began = trio.current_time()
        await self.compose(*_PROFILED, "up", "--no-start", "--no-build", "--no-deps", *_STARTED)
        async with trio.open_nursery() as making_ready:
            making_ready.start_soon(self._migrate)
            making_ready.start_soon(self._issue)
        await self._start(*_ADDRESSES)
        await self.podman("start", self.of("balancer").container)
        return trio.current_time() - began

    async def _migrate(self) -> None:
        await self._start("database")
        await self.podman("start", "--attach", self.of("migrate").container)

    async def _issue(self) -> None:
        await self._start("redis")
        issued = ("exai", "token", "issue", "ann", "--role", "user")
        (self.place / "token").write_text(
            await self.compose("run", "--rm", "--no-deps", "-T", "daemon-a", *issued)
        )

    async def _start(self, *names: str) -> None:
        """They are healthy then. Raises EngineError."""
        started = [self.of(name) for name in names]
        await self.podman("start", *(one.container for one in started))
        async with trio.open_nursery() as waiting:
            for one in started:
                waiting.start_soon(one.wait_healthy)

    async def down(self) -> None:
        await self.compose(*_PROFILED, "down", "-v", "-t", "1")

    def of(self, name: str) -> "TeamServices":
        """What may be asked and done of one of them."""
        return attrs.evolve(self, container=f"exai_check_{name}_1")

    async def who_runs(self) -> str:
        """The daemon that runs a call, once one does. Raises EngineError."""
        with trio.move_on_after(READY_S):
            while True:
                for name, address in _ADDRESSES.items():
                    told = json.loads(await get(8082, "/health", host=address))
                    if told["calls"]["running"]:
                        return name
                await trio.sleep(0.05)
        raise EngineError("no daemon runs the call")


async def _called(bench: Bench) -> None:
    """A call of an editor through the balancer."""
    async with bench.editor() as editor:
        await ask(editor, prompt="through the balancer")


async def _person(bench: Bench) -> None:
    """A token that was issued before the daemons began holds at both."""
    token = (bench.services.place / "token").read_text(encoding="utf-8").split()[-1]
    for address in _ADDRESSES.values():
        env = environment(bench.home, EXAI_WS_HOST=address, EXAI_WS_TOKEN=token)
        command = (*EXAI, "call", "test_echo", "prompt=hello")
        asked = await trio.run_process(
            command, env=env, cwd=bench.home, check=False, capture_stdout=True, capture_stderr=True
        )
        if asked.stdout.strip() != b"hello":
            raise Broken(f"{address}: {asked.stdout + asked.stderr!r}")


@asynccontextmanager
async def _struck(bench: Bench, what: str) -> AsyncGenerator[str]:
    """A call of an editor is answered once, whatever is done meanwhile to the daemon that runs it."""
    services = bench.services
    assert isinstance(services, TeamServices)
    async with bench.editor() as editor:
        call = await editor.call("test_echo", prompt=what, delay_ms=1500)
        began = trio.current_time()
        yield await services.who_runs()
        answer = good(await editor.answer(call, within=_LONG_S), what)
        bench.figures[f"{what}: answered after"] = f"{answer.at - began:.1f} s"
        if editor.unasked:
            raise Broken(f"answered twice: {editor.unasked}")


async def _killed(bench: Bench) -> None:
    """A container that is killed, and not started again: the other daemon answers."""
    async with _struck(bench, "killed") as name:
        await bench.services.podman("kill", f"exai_check_{name}_1")
    await bench.services.podman("start", f"exai_check_{name}_1")
    await attrs.evolve(bench.services, container=f"exai_check_{name}_1").wait_healthy()


async def _frozen(bench: Bench) -> None:
    """A daemon that is stopped as a dead machine is; it does no harm when it goes on."""
    async with _struck(bench, "frozen") as name:
        one = attrs.evolve(bench.services, container=f"exai_check_{name}_1")
        await one.signal(signal.SIGSTOP)
    await one.signal(signal.SIGCONT)
    await one.wait_healthy()


async def _stopped(bench: Bench) -> None:
    """A container that is told to stop ends well."""
    async with _struck(bench, "stopped") as name:
        one = attrs.evolve(bench.services, container=f"exai_check_{name}_1")
        await one.podman("stop", "-t", "20", one.container)
    if (code := await one.state("ExitCode")) != "0":
        raise Broken(f"{name} left with {code}")
    await one.podman("start", one.container)
    await one.wait_healthy()


async def _database(bench: Bench) -> None:
    """The database is started anew under a call."""
    async with _struck(bench, "database restarted"):
        await bench.services.podman("restart", "-t", "5", "exai_check_database_1")


STEPS: Final[Mapping[str, Step]] = {
    "called": _called,
    "person": _person,
    "killed": _killed,
    "frozen": _frozen,
    "stopped": _stopped,
    "database": _database,
}
