"""The services of compose.yaml, started for a check, and what may be done to them."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Final

import attrs
import trio

from .canaries import KEY, TOKEN
from .engine import Engine, EngineError

DAEMON: Final = "exai_check_daemon_1"
READY_S: Final = 60.0


@attrs.define(eq=False)
class Services:
    """`place` is the check's own folder: projects, and the file system that is the volume. `container` is the one that is asked and hurt."""

    engine: Engine
    place: Path
    glm_url: str
    container: str = DAEMON

    @property
    def projects(self) -> Path:
        return self.place / "projects"

    @property
    def volume(self) -> Path:
        return self.place / "volume"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "EXAI_WS_TOKEN": TOKEN,
            "EXAI_PROJECTS": str(self.projects),
            "CHECK_KEY": KEY,
            "CHECK_GLM_URL": self.glm_url,
            "CHECK_VOLUME": str(self.volume),
        }

    def prepare(self) -> None:
        """Needs a mount namespace of our own: the volume is a small file system. Raises CalledProcessError."""
        self.projects.mkdir(parents=True)
        self.volume.mkdir()
        size = "size=64m,uid=10001,mode=700"
        subprocess.run(("mount", "-t", "tmpfs", "-o", size, "exai", self.volume), check=True)

    async def compose(self, *words: str) -> str:
        return await trio.to_thread.run_sync(lambda: self.engine.compose(*words, **self.settings))

    async def podman(self, *words: str) -> str:
        return await trio.to_thread.run_sync(lambda: self.engine.podman(*words))

    async def up(self) -> float:
        """Seconds until the daemon is healthy. Raises EngineError."""
        began = trio.current_time()
        await self.compose("up", "-d", "--no-build", "daemon")
        await self.wait_healthy()
        return trio.current_time() - began

    async def down(self) -> None:
        await self.compose("down", "-v", "-t", "1")

    async def healthy(self) -> bool:
        """What the container's own health check says now; there may be no systemd that asks it."""
        try:
            await self.podman("healthcheck", "run", self.container)
        except EngineError:
            return False
        return True

    async def wait_healthy(self, within: float = READY_S) -> None:
        """Raises EngineError."""
        with trio.move_on_after(within):
            while not await self.healthy():  # noqa: ASYNC110  # another process's
                await trio.sleep(0.3)  # what is asked takes the processor that it needs to start
            return
        raise EngineError(f"not healthy after {within:g} s: {await self.logs()}")

    async def logs(self) -> str:
        """stdout and stderr of the container, the newest lines."""
        command = (str(self.engine.program), "logs", "--tail", "200", self.container)
        done = await trio.run_process(
            command,
            env=self.engine.environment,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        return (done.stdout + done.stderr).decode(errors="replace")

    async def state(self, field: str) -> str:
        return await self.podman("inspect", "--format", f"{{{{.State.{field}}}}}", self.container)

    async def pid(self) -> int:
        """The daemon's process as this machine sees it: the child of the container's init; 0 if none runs."""
        init = int(await self.state("Pid"))
        children = trio.Path(f"/proc/{init}/task/{init}/children")
        if not init or not await children.exists():
            return 0
        found = (await children.read_text()).split()
        return int(found[0]) if found else 0

    async def signal(self, number: signal.Signals) -> int:
        """To the daemon itself, as from outside: what podman kills it does not start again. Returns the pid."""
        pid = await self.pid()
        if not pid:
            raise EngineError(f"no daemon runs: {await self.logs()}")
        os.kill(pid, number)
        return pid
