"""Child processes and what they weigh. Each ends with the nursery that it was started in; nothing of EXAI is known here."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import attrs
import trio

EXAI = (sys.executable, "-P", "-m", "exai_trio")
PATIENCE_S = 30.0
_KEPT = frozenset({"LANG", "PATH", "TMPDIR", "VIRTUAL_ENV"})


class NotStarted(Exception):
    """A child did not do what a scenario needs before it can begin; the text says what it said."""


class Process(Protocol):
    """What a Child asks of a `trio.Process`."""

    @property
    def pid(self) -> int: ...
    @property
    def args(self) -> Any: ...
    @property
    def stdin(self) -> trio.abc.SendStream | None: ...
    @property
    def stdout(self) -> trio.abc.ReceiveStream | None: ...
    def poll(self) -> int | None: ...
    def send_signal(self, sig: int) -> None: ...
    async def wait(self) -> int: ...


@attrs.frozen(eq=False)
class Child:
    """A running process with pipes for stdin and stdout; its stderr is in a file."""

    process: Process
    complaints: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Does nothing to a process that has ended."""
        if self.runs:
            self.process.send_signal(number)

    async def kill(self) -> None:
        """It has no last words, so what it said before goes too: ten thousand leave no file each."""
        self.signal(signal.SIGKILL)
        await self.wait()
        self.complaints.unlink(missing_ok=True)

    async def wait(self, within: float = PATIENCE_S) -> int | None:
        """Its exit code once it has ended and its pipes are closed; None if it still runs then."""
        with trio.move_on_after(within):
            code = await self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    await pipe.aclose()
            return code
        return None

    async def line(self) -> str:
        """The first line on its stdout. Raises NotStarted."""
        said = bytearray()
        with trio.move_on_after(PATIENCE_S):  # noqa: ASYNC912  # the first turn waits
            while b"\n" not in said:
                data = await self.process.stdout.receive_some(4096)
                if not data:
                    break
                said += data
            else:
                return said.partition(b"\n")[0].decode()
        raise NotStarted(f"{self.process.args[1:]} said {bytes(said)!r}, {self.complained()}")

    def complained(self) -> str:
        return self.complaints.read_text(encoding="utf-8", errors="replace")[-2000:]


async def start_child(
    nursery: trio.Nursery, command: Sequence[str], env: dict[str, str], cwd: Path
) -> Child:
    complaints = cwd / f"stderr-{secrets.token_hex(4)}"
    with complaints.open("wb") as stderr:
        running = partial(
            trio.run_process,
            command,
            env=env,
            cwd=cwd,  # where no .env lies
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            check=False,
        )
        return Child(await nursery.start(running), complaints)


def environment(home: Path, **settings: object) -> dict[str, str]:
    """The environment of a child: ours without any EXAI setting, and these."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    quiet = {
        "HOME": str(home),
        "ENV_FILE": os.devnull,
        "EXAI_HOME": str(home / "exai"),
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
    }
    return kept | quiet | {name: str(value) for name, value in settings.items()}


def free_port() -> int:
    """Below those that the system gives to outgoing connections, so that no client comes to stand on it."""
    while True:
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def resident(pid: int) -> int:
    """Bytes in memory; 0 if there is no such process any more."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def descriptors(pid: int, provider: int = 0) -> int:
    """Those that are open, without the database's: segments of its log come and go, and SQLite keeps what a closed connection
    had for its next one; and without connections to the provider's port, which are kept for the next call, too."""
    pooled = {f"socket:[{inode}]" for inode in _connections_to(provider)}
    try:
        return sum(_is_counted(one, pooled) for one in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def _is_counted(descriptor: Path, pooled: set[str]) -> bool:
    try:
        name = descriptor.readlink().name
    except OSError:  # closed meanwhile
        return False
    return not name.startswith("exai.db") and name not in pooled


def _connections_to(port: int) -> set[str]:
    """The inodes of all sockets of IPv4 whose other end is this port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]
    return {row[9] for row in rows[1:] if int(row[2].rpartition(":")[2], 16) == port > 0}
