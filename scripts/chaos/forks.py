"""Daemons forked from a process that has loaded everything: most of a start is imports, so many more kills fit into an hour.

Such a daemon is as real as any other, but how long it takes to start says nothing.
"""

import array
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import attrs
import trio

from .children import Child, NotStarted


@attrs.frozen(eq=False)
class Fork:
    """A forked process as `trio.Process` would show it, as far as a Child asks; nobody knows its exit code."""

    pid: int
    args: Sequence[str]
    stdout: trio.lowlevel.FdStream
    pidfd: int
    stdin: None = None
    ended: trio.Event = attrs.field(factory=trio.Event)

    def poll(self) -> int | None:
        return 0 if self.ended.is_set() else None

    def send_signal(self, number: int) -> None:
        with suppress(OSError):  # it has ended
            signal.pidfd_send_signal(self.pidfd, number)

    async def wait(self) -> int:
        await self.ended.wait()
        return 0

    async def live(self) -> None:
        """Until it has ended; cancelled, it is killed."""
        try:
            await trio.lowlevel.wait_readable(self.pidfd)
        finally:
            self.send_signal(signal.SIGKILL)
            os.close(self.pidfd)
            self.ended.set()


@attrs.frozen(eq=False)
class Forks:
    """The way to the process that forks. Its children end with `nursery`."""

    orders: trio.socket.SocketType
    nursery: trio.Nursery
    turn: trio.Lock = attrs.field(factory=trio.Lock)

    async def start(self, words: Sequence[str], env: dict[str, str], cwd: Path) -> Child:
        """`exai` with these words."""
        complaints = cwd / f"stderr-{secrets.token_hex(4)}"
        heard, said = os.pipe()
        output = trio.lowlevel.FdStream(heard)
        try:
            with complaints.open("wb") as stderr:
                pidfd, pid = await self._order(words, env, cwd, said, stderr.fileno())
        except BaseException:
            await trio.aclose_forcefully(output)
            raise
        finally:
            os.close(said)
        fork = Fork(pid, words, output, pidfd)
        self.nursery.start_soon(fork.live)
        return Child(fork, complaints)

    async def _order(
        self, words: Sequence[str], env: dict[str, str], cwd: Path, *outputs: int
    ) -> tuple[int, int]:
        """A descriptor of the process and its id. What was forked for an order that is cancelled ends with the server."""
        order = json.dumps({"words": words, "env": env, "cwd": str(cwd)}).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", outputs).tobytes())]
        async with self.turn:
            await self.orders.sendmsg([order], rights)
            pid = int(await self.orders.recv(64) or 0)
        try:
            return os.pidfd_open(pid), pid
        except OSError as fault:
            raise NotStarted(f"the forked daemon is gone: {fault}") from fault


@asynccontextmanager
async def forking(nursery: trio.Nursery) -> AsyncGenerator[Forks]:
    """The process that has loaded everything; it and its children end with the nursery, before the context is left."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, trio.socket.from_stdlib_socket(ours) as orders:
        command = [sys.executable, Path(__file__).with_name("fork_server.py")]
        await nursery.start(partial(trio.run_process, command, stdin=theirs))
        yield Forks(orders, nursery)
