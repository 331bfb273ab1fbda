"""A daemon with terminals, and clients of it that read and acknowledge; what they cost is measured elsewhere."""

import os
import sys
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from exai_trio.transport.websocket import Limits, WebSocket, connect
from exai_trio.wire.terminal_messages import heard, said, typed

from ..pairs import port_in
from ..processes import (
    FLOOR,
    NotMeasured,
    child,
    environment,
    home,
    ours,
    read_line,
    settled_weight,
)
from ..report import percentile

PATH = "/terminal"
LIMITS = Limits()
WAIT_S = 120.0
SETTINGS = {
    "EXAI_TERMINALS": "root" if os.geteuid() == 0 else "true",
    "EXAI_WS_PORT": "0",
    "EXAI_SIMULATE": "true",
    "EXAI_TERM_MAX": "200",
    "EXAI_TERM_MAX_PER_PRINCIPAL": "200",
    "ENABLED_TOOLS": "test_echo",
}


@attrs.frozen
class Served:
    """A daemon with terminals."""

    port: int
    pid: int
    token: str

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        async with connect("127.0.0.1", self.port, LIMITS, PATH) as socket:
            await socket.send(said(kind, token=self.token, data=fields))
            answer = heard(str(await socket.receive()))
        if answer["op"] == "error":
            raise NotMeasured(answer["message"])
        return answer

    async def create(self, *command: str) -> dict[str, Any]:
        answer = await self.ask("create", command=list(command), project_path="/")
        return dict(answer["session"])

    async def kill(self, session: dict[str, Any]) -> None:
        await self.ask("kill", session_id=session["session_id"])

    @asynccontextmanager
    async def attached(self, session: dict[str, Any]) -> AsyncGenerator["Seen"]:
        async with connect("127.0.0.1", self.port, LIMITS, PATH) as socket:
            await socket.send(hello(self.token, session["session_id"]))
            yield Seen(socket)


def hello(token: str, session_id: str) -> str:
    """The first frame of an attachment by a client of its own."""
    return said("hello", token=token, session_id=session_id, client_id=f"c{time.perf_counter_ns()}")


@attrs.define
class Seen:
    """A client that reads and acknowledges."""

    socket: WebSocket
    shown: int = 0
    tail: bytes = b""
    typed: int = 0

    async def read(self) -> bytes:
        """The next output."""
        while True:
            frame = await self.socket.receive()
            if isinstance(frame, bytes):
                self.shown = int.from_bytes(frame[:8], "big") + len(frame) - 8
                self.tail = (self.tail[-4096:] + frame[8:])[-4096:]
                await self.socket.send(said("ack", data={"offset": self.shown}))
                return frame[8:]

    async def until(self, part: bytes) -> None:
        with trio.move_on_after(WAIT_S) as patience:
            await trio.lowlevel.checkpoint()
            while part not in self.tail:
                await self.read()
        if patience.cancelled_caught:
            raise NotMeasured(f"{part!r} was not shown; {self.tail[-200:]!r} was")

    async def type(self, data: bytes) -> None:
        self.typed += 1
        self.tail = b""
        await self.socket.send(typed(data, self.typed))

    async def echoed(self) -> float:
        """Seconds from a key to its echo by `cat`."""
        began = time.perf_counter()
        await self.type(b"k")
        await self.until(b"k")
        return time.perf_counter() - began


@contextmanager
def served(**settings: str) -> Generator[Served]:
    """A daemon with terminals, which have all ended when the context is left."""
    with home() as place, serving(place, **settings) as daemon:
        try:
            yield daemon
        finally:
            trio.run(_end_all, daemon)


@contextmanager
def serving(place: Path, **settings: str) -> Generator[Served]:
    """The daemon of this home, whose sessions it leaves alone."""
    env = environment(place, **SETTINGS | settings)
    with child(ours("serve"), env, place) as daemon:
        port = port_in(read_line(daemon))
        settled_weight(daemon.pid)  # what it loads behind its start costs nothing later
        yield Served(port, daemon.pid, (place / "state/ws_token").read_text().strip())


async def _end_all(daemon: Served) -> None:
    for session in (await daemon.ask("list"))["sessions"]:
        if session["exit"] is None:
            await daemon.kill(session)


@contextmanager
def readers(daemon: Served, sessions: Sequence[dict[str, Any]]) -> Generator[None]:
    """For each session a process that reads and acknowledges, as another user's client would."""
    program = str(FLOOR / "terminal_reader.py")
    with ExitStack() as reading, home() as place:
        env = environment(place) | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        for session in sessions:
            command = [sys.executable, program, str(daemon.port), session["session_id"]]
            process = reading.enter_context(child(command, env | {"TOKEN": daemon.token}, place))
            read_line(process)
        yield


def p99(times: Sequence[float]) -> float:
    return percentile(times, 99)
