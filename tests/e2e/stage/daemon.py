"""A running `exai serve`, its health and its simulator."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import attrs

from stage.fetching import fetch
from stage.old_client import Frame
from stage.place import Place
from stage.said import unexpected
from stage.waiting import PATIENCE_S, until


@attrs.frozen(kw_only=True)
class Daemon:
    """A running `exai serve`."""

    place: Place
    process: subprocess.Popen[bytes]
    simulator: int

    @property
    def pid(self) -> int:
        return self.process.pid

    async def health(self, path: str = "/health") -> Any:
        return (await fetch(self.place.health, path)).json

    async def requests(self, since: int = 0) -> list[Frame]:
        """The provider's log of chat requests that came after number `since`."""
        path = f"/_requests?path=/chat/completions&since={since}"
        return (await fetch(self.simulator, path)).json["requests"]

    async def simulator_state(self) -> Frame:
        return (await fetch(self.simulator, "/_state")).json

    async def last_request(self) -> int:
        return max((one["number"] for one in await self.requests()), default=0)

    async def idle(self) -> bool:
        """Nothing runs and every permit is free."""
        permits = await self.health("/health/semaphores")
        all_permits = [permits["global"], *permits["providers"].values()]
        running = (await self.health())["calls"]["running"]
        return not running and all(one["current"] == one["expected"] for one in all_permits)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def wait(self) -> tuple[int, str]:
        """Exit code and stderr, once it has ended."""
        await until(lambda: self.process.poll() is not None)
        return self.process.returncode, unexpected(self.process.stderr.read())

    def offspring(self) -> list[int]:
        """Its child processes."""
        threads = Path(f"/proc/{self.pid}/task").iterdir()
        texts = [(thread / "children").read_text(encoding="utf-8") for thread in threads]
        return [int(child) for text in texts for child in text.split()]

    def end(self) -> None:
        """Terminate it if it still runs. It must leave with 0 and without a word."""
        if self.process.poll() is None:
            self.process.terminate()
            _, err = self.process.communicate(timeout=PATIENCE_S)
            assert (0, "") == (self.process.returncode, unexpected(err))
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


def started(place: Place, **more: str) -> Daemon:
    process = place.start("serve", **more)
    try:
        line = process.stdout.readline().decode()
    except BaseException:  # the test is given up
        process.kill()
        process.communicate()
        raise
    if f"WebSocket ws://127.0.0.1:{place.port}/" not in line:
        process.kill()
        said = process.communicate()
        raise AssertionError(f"the daemon did not start: {line!r} {said} {process.returncode}")
    simulator = line.partition("simulator http://127.0.0.1:")[2].strip()
    return Daemon(place=place, process=process, simulator=int(simulator or 0))
