"""A home, a provider, daemons and editors of their own: what a scenario plays in. All of it is gone afterwards."""

import json
import shutil
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from .caller import LOST, Caller, Refused
from .children import EXAI, PATIENCE_S, Child, NotStarted, environment, free_port, start_child
from .editor import Editor
from .forks import Forks, forking
from .provider import Provider, start_provider

ROOMY = {
    "CIRCUIT_BREAKER_ENABLED": "false",
    "ENABLED_TOOLS": "test_echo",
    "EXAI_WS_GLOBAL_MAX_INFLIGHT": "256",
    "EXAI_WS_SESSION_MAX_INFLIGHT": "64",
    "EXAI_WS_GLM_MAX_INFLIGHT": "64",
    "EXAI_WS_KIMI_MAX_INFLIGHT": "64",
    "MAX_CONNECTIONS_PER_IP": "2000",
    "MAX_CONNECTIONS": "2000",
}


@attrs.define(eq=False)
class World:
    """`settings` hold for every child that is started from here."""

    home: Path
    port: int
    provider: Provider
    settings: dict[str, str]
    nursery: trio.Nursery
    forks: Forks | None = None

    def environment(self, **more: object) -> dict[str, str]:
        own = {"EXAI_WS_PORT": self.port, **self.provider.settings, **self.settings}
        return environment(self.home, **{**own, **more})

    async def daemon(
        self, *words: str, prefix: Sequence[str] = EXAI, ready: bool = True, **more: object
    ) -> Child:
        """A daemon that serves; one that is not waited for unless `ready`. Raises NotStarted."""
        child = await self.command("serve", *words, prefix=prefix, **more)
        if ready and "exai serves" not in await child.line():
            raise NotStarted(f"the daemon does not serve: {child.complained()}")
        return child

    async def command(self, *words: str, prefix: Sequence[str] = EXAI, **more: object) -> Child:
        """`exai` with these words, begun; forked, its exit code is 0 whatever becomes of it."""
        env = self.environment(**more)
        if self.forks is not None:
            return await self.forks.start(words, env, self.home)
        return await start_child(self.nursery, (*prefix, *words), env, self.home)

    async def editor(self, *, port: int = 0, **more: object) -> Editor:
        """An editor that has been greeted by its shim. Raises NotStarted."""
        env = self.environment(**{"EXAI_WS_PORT": port or self.port, **more})
        child = await start_child(self.nursery, (*EXAI, "shim"), env, self.home)
        editor = Editor(child)
        self.nursery.start_soon(editor.run)
        await editor.greet()
        return editor

    def logged(self, name: str, event: str) -> list[dict[str, Any]]:
        """The lines of this log with this event, oldest first."""
        path = self.home / "exai" / "logs" / f"{name}.log"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        found = [json.loads(line) for line in lines if line.startswith("{") and event in line]
        return [one for one in found if one.get("event") == event]

    async def health(self, token: str | None = None) -> dict[str, Any]:
        """What the daemon says of itself over a connection of its own. Raises NotStarted."""
        asking = Caller(token=token)
        try:
            async with asking.connected(self.port):
                await asking.say("health", request_id="health")
                said = await asking.other("health_res", 10.0)
        except (*LOST, Refused, trio.TooSlowError) as fault:
            raise NotStarted(f"no health: {fault!r}") from fault
        if said is None:
            raise NotStarted("no health within 10 s")
        return said

    async def idle(self, within: float = PATIENCE_S) -> str:
        """ "" once no call runs and every permit is free; what is still busy if that does not come true."""
        with trio.move_on_after(within):
            while busy := _busy(await self.health()):  # noqa: ASYNC110  # another process's
                await trio.sleep(0.05)
            return ""
        return busy


def _busy(health: dict[str, Any]) -> str:
    """What is not at rest in a health answer."""
    facts = health.get("health", health)
    permits = {"global": facts["permits"]["global"], **facts["permits"]["providers"]}
    taken = [name for name, one in permits.items() if one["current"] != one["expected"]]
    running = facts["calls"]["running"]
    return f"running {running}, permits taken of {taken}" if running or taken else ""


@asynccontextmanager
async def open_world(
    home: Path | None = None, *, forked: bool = False, **settings: object
) -> AsyncGenerator[World]:
    """A world with its provider, and no daemon yet; `home` is a directory that somebody else takes away. `forked`: its
    daemons load nothing."""
    place = home or Path(tempfile.mkdtemp(prefix="exai-chaos-"))
    try:
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            forks = await stack.enter_async_context(forking(nursery)) if forked else None
            provider = await start_provider(nursery, place)
            chosen = {name: str(value) for name, value in (ROOMY | settings).items()}
            yield World(place, free_port(), provider, chosen, nursery, forks)
            nursery.cancel_scope.cancel(reason="the scenario is over")
    finally:
        shutil.rmtree(place, ignore_errors=True)  # noqa: ASYNC200  # a moment at the end of a scenario
