"""Two daemons on one PostgreSQL behind haproxy, each with a home and a way to the database of its own. All of it is gone afterwards."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import psycopg
import trio

from ..caller import Caller
from ..children import Child, NotStarted, free_port, start_child
from ..forks import forking
from ..provider import Provider, get, start_provider
from ..proxy import Proxy, open_proxy
from ..trial import Trial
from ..world import ROOMY, World
from .balancer import Ports, moved, servers_up
from .client import ReturningClient

sys.path.insert(0, str(Path(__file__).parents[3] / "tests" / "storage"))

TOKEN = "a-token-of-the-team-0"  # noqa: S105  # of daemons that nobody else reaches
_PATIENCE_S = 40.0
_ALL = 4  # two daemons, each for WebSockets and for MCP
_OWNER = "select d.name from sessions s join daemons d on d.executor = s.owner where s.id = %s"
_RUNNING = "select c.request from journal_calls c join daemons d on d.executor = c.executor where d.name = %s and c.outcome_frame is null"
_OPEN = """
    select c.request, 'run by ' || coalesce(d.name, c.executor), 'told by ' || coalesce(o.name, 'nobody'), c.attempts
    from journal_calls c left join daemons d on d.executor = c.executor left join sessions s on s.id = c.session
    left join daemons o on o.executor = s.owner where c.outcome_frame is null
"""


def unable() -> str:
    """Why no team can be started here; "" if it can."""
    from hosted.postgres import CannotStart, Postgres  # only where it is played

    if shutil.which("haproxy") is None:
        return "haproxy is not installed"
    try:
        Postgres().close()
    except CannotStart as fault:
        return str(fault)
    return ""


@attrs.define(eq=False)
class Team:
    """`worlds` are the homes of the daemons, `ways` what each reaches the database by; `daemons` are None that do not run."""

    provider: Provider
    postgres: Any
    worlds: list[World]
    ways: list[Proxy]
    balancer: Ports
    daemons: list[Child | None]

    async def start(self, number: int) -> None:
        """Raises NotStarted."""
        self.daemons[number] = await self.worlds[number].daemon()

    async def end(self, number: int) -> int | None:
        """Terminated; its exit code, None if it did not end in time."""
        daemon, self.daemons[number] = self.daemons[number], None
        assert daemon is not None
        daemon.signal(signal.SIGTERM)
        return await daemon.wait()

    async def kill(self, number: int) -> None:
        daemon, self.daemons[number] = self.daemons[number], None
        assert daemon is not None
        await daemon.kill()

    def signal(self, number: int, what: signal.Signals) -> None:
        daemon = self.daemons[number]
        assert daemon is not None
        daemon.signal(what)

    async def whole(self) -> None:
        """Every daemon runs, and the balancer sends clients to all. Raises NotStarted."""
        for number, daemon in enumerate(self.daemons):
            if daemon is None:
                await self.start(number)
        up: set[tuple[str, str]] = set()
        with trio.move_on_after(_PATIENCE_S):
            while len(up := await self._up()) < _ALL:  # noqa: ASYNC110  # another process's
                await trio.sleep(0.05)
            return
        raise NotStarted(f"the balancer takes these alone for healthy: {up}")

    async def _up(self) -> set[tuple[str, str]]:
        with suppress(OSError):
            return servers_up((await get(self.balancer.health, "/csv;csv")).decode())
        return set()

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """Asked by no daemon's way."""
        return await trio.to_thread.run_sync(partial(self._rows, sql, values))

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[Any]:
        with psycopg.connect(self.postgres.uri()) as connection:
            return connection.execute(sql, values).fetchall()  # type: ignore[arg-type]

    async def owner(self, client: ReturningClient) -> int:
        """Which daemon has this client's session."""
        ((name,),) = await self.rows(_OWNER, client.caller.session_id)
        return int(name)

    async def executed_by(self, number: int) -> set[str]:
        """The marks of calls that run at this daemon."""
        rows = await self.rows(_RUNNING, str(number))
        return {json.loads(request) for (request,) in rows}

    async def settled(self) -> list[Any]:
        """The calls that have no outcome in the database: none as soon as that is so."""
        unended: list[Any] = []
        with trio.move_on_after(_PATIENCE_S):
            while True:
                unended = await self.rows(_OPEN)
                if not unended:
                    break
                await trio.sleep(0.05)
        return unended


@asynccontextmanager
async def open_team(trial: Trial, **settings: object) -> AsyncGenerator[Team]:
    """The database is migrated, no daemon runs yet. Raises NotStarted."""
    from hosted.postgres import Postgres  # only where it is played

    place = Path(tempfile.mkdtemp(prefix="exai-chaos-"))
    postgres = await trio.to_thread.run_sync(Postgres)
    try:
        socket = str(postgres.folder / ".s.PGSQL.5432")
        async with (
            open_proxy(socket) as one,
            open_proxy(socket) as other,
            AsyncExitStack() as stack,
            trio.open_nursery() as nursery,
        ):
            forks = await stack.enter_async_context(forking(nursery)) if trial.forked else None
            provider = await start_provider(nursery, place)
            ways = [one, other]
            chosen = {name: str(value) for name, value in (ROOMY | settings).items()}
            worlds = [
                World(place / str(number), free_port(), provider, chosen | _own(number, way), nursery, forks)
                for number, way in enumerate(ways)
            ]  # fmt: skip
            balancer = Ports(free_port(), free_port(), free_port())
            await _migrate(worlds)
            await _start_balancer(nursery, place, worlds, balancer)
            yield Team(provider, postgres, worlds, ways, balancer, [None, None])
            nursery.cancel_scope.cancel(reason="the scenario is over")
    finally:
        postgres.close()
        shutil.rmtree(place, ignore_errors=True)  # noqa: ASYNC200  # a moment at the end of a scenario


def _own(number: int, way: Proxy) -> dict[str, str]:
    return {
        "STORAGE_BACKEND": "postgres",
        "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{way.port}/postgres",
        "EXAI_DAEMON_NAME": str(number),
        "EXAI_WS_TOKEN": TOKEN,
        "EXAI_MCP_PORT": str(free_port()),
        "HEALTH_CHECK_PORT": str(free_port()),
    }


async def _migrate(worlds: Iterable[World]) -> None:
    """All at once, as hosts that are set up side by side. Raises NotStarted."""

    async def one(world: World) -> None:
        world.home.mkdir()  # noqa: ASYNC240  # a moment at the beginning
        child = await world.command("storage", "migrate")
        code = await child.wait()
        if code:
            raise NotStarted(f"exai storage migrate: exit {code}, {child.complained()}")

    async with trio.open_nursery() as migrating:
        for world in worlds:
            migrating.start_soon(one, world)


async def _start_balancer(
    nursery: trio.Nursery, place: Path, worlds: Iterable[World], balancer: Ports
) -> None:
    daemons = [
        Ports(one.port, int(one.settings["EXAI_MCP_PORT"]), int(one.settings["HEALTH_CHECK_PORT"]))
        for one in worlds
    ]
    config = place / "haproxy.cfg"
    config.write_text(moved(daemons, balancer), encoding="utf-8")
    command = ("haproxy", "-db", "-f", str(config))
    await start_child(nursery, command, {"PATH": os.environ["PATH"]}, place)


@asynccontextmanager
async def clients_of(
    team: Team, count: int, *, moves: bool = False
) -> AsyncGenerator[list[ReturningClient]]:
    """Clients that come through the balancer again and again until the context is left."""
    clients = [
        ReturningClient(team.balancer.websocket, Caller(token=TOKEN), moves) for _ in range(count)
    ]
    async with trio.open_nursery() as coming:
        for one in clients:
            coming.start_soon(one.come)
        yield clients
        coming.cancel_scope.cancel(reason="the scenario is over")
