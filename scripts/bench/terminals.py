"""What terminals cost: a flood, a key's echo, the first byte, Ctrl-C, memory; beside a bare pseudo-terminal, a bare WebSocket and terminado."""

import os
import pty
import subprocess
import time
import tty
import venv
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from exai_trio.transport.websocket import Limits, WebSocket, accept, client_on, connect
from exai_trio.wire.terminal_messages import heard, said, typed

from .pairs import port_in
from .processes import (
    NotMeasured,
    child,
    environment,
    home,
    ours,
    read_line,
    settled_weight,
    weight,
)
from .report import Goal, Row, median

_PATH = "/terminal"
_PEER = "terminado==0.18.1"
_LIMITS = Limits()
_WAIT_S = 120.0


@attrs.frozen
class Served:
    """A daemon with terminals."""

    port: int
    pid: int
    token: str

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        async with connect("127.0.0.1", self.port, _LIMITS, _PATH) as socket:
            await socket.send(said(kind, token=self.token, data=fields))
            answer = heard(str(await socket.receive()))
        if answer["op"] == "error":
            raise NotMeasured(answer["message"])
        return answer

    async def create(self, *command: str) -> dict[str, Any]:
        answer = await self.ask("create", command=list(command), project_path="/")
        return dict(answer["session"])

    @asynccontextmanager
    async def attached(self, session: dict[str, Any]) -> AsyncGenerator["Seen"]:
        async with connect("127.0.0.1", self.port, _LIMITS, _PATH) as socket:
            hello = {"session_id": session["session_id"], "client_id": f"c{time.perf_counter_ns()}"}
            await socket.send(said("hello", token=self.token, **hello))
            yield Seen(socket)


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
                self.tail = (self.tail + frame[8:])[-4096:]
                await self.socket.send(said("ack", data={"offset": self.shown}))
                return frame[8:]

    async def until(self, part: bytes) -> None:
        with trio.move_on_after(_WAIT_S) as patience:
            await trio.lowlevel.checkpoint()
            while part not in self.tail:
                await self.read()
        if patience.cancelled_caught:
            raise NotMeasured(f"{part!r} was not shown; {self.tail[-200:]!r} was")

    async def type(self, data: bytes) -> None:
        self.typed += 1
        self.tail = b""
        await self.socket.send(typed(data, self.typed))


@contextmanager
def _served() -> Generator[Served]:
    settings = {"EXAI_TERMINALS": "root" if os.geteuid() == 0 else "true", "EXAI_WS_PORT": "0", "EXAI_SIMULATE": "true", "EXAI_TERM_MAX": "200", "EXAI_TERM_MAX_PER_PRINCIPAL": "200"}  # fmt: skip
    with home() as place, child(ours("serve"), environment(place, **settings), place) as daemon:
        port = port_in(read_line(daemon))
        settled_weight(daemon.pid)  # what it loads behind its start costs nothing later
        served = Served(port, daemon.pid, (place / "state/ws_token").read_text().strip())
        try:
            yield served
        finally:
            trio.run(_end_all, served)


async def _end_all(served: Served) -> None:
    for session in (await served.ask("list"))["sessions"]:
        await served.ask("kill", session_id=session["session_id"])


# ---------------------------------------------------------------- flood


def flood(*, quick: bool) -> Iterator[Row]:
    """`cat` of a large file to a client that reads."""
    size = (8 if quick else 64) * 2**20
    with home() as place, _served() as served:
        file = place / "flood"
        file.write_bytes(b"x" * 79 + b"\n" + b"y" * (size - 80))
        bare = size / _bare_read(file) / 2**20
        ours_ = size / trio.run(_flooded, served, file) / 2**20
        yield Row(what=f"cat {size >> 20} MiB, beside a bare read", unit="MiB/s", ours=ours_, floor=bare, goal=Goal("at least", 0.4, of_floor=True))  # fmt: skip
        peer = size / _peer_read(place, file) / 2**20
        yield Row(what=f"cat {size >> 20} MiB, beside terminado", unit="MiB/s", ours=ours_, floor=peer, goal=Goal("at least", 1.5, of_floor=True))  # fmt: skip


def _bare_read(file: Path) -> float:
    pid, master = pty.fork()
    if pid == 0:
        tty.setraw(0)
        os.execvp("cat", ["cat", str(file)])
    began, left = time.perf_counter(), file.stat().st_size
    while left > 0:
        left -= len(os.read(master, 65536))
    took = time.perf_counter() - began
    os.close(master)
    os.waitpid(pid, 0)
    return took


async def _flooded(served: Served, file: Path) -> float:
    session = await served.create("/bin/sh", "-c", f"stty raw -echo; echo ready; read x; cat {file}; cat")  # fmt: skip
    size = (await trio.Path(file).stat()).st_size
    async with served.attached(session) as client:
        await client.until(b"ready")
        before = client.shown
        await client.type(b"\n")
        began = time.perf_counter()
        while client.shown - before < size:
            await client.read()
        return time.perf_counter() - began


def _peer_read(place: Path, file: Path) -> float:
    """In an environment of its own. Raises NotMeasured where the package index cannot be had."""
    where = place / "peer"
    venv.create(where, with_pip=True)
    try:
        subprocess.run([where / "bin/pip", "install", "-q", _PEER], check=True, capture_output=True)
        program = Path(__file__).with_name("peer_terminado.py")
        ran = subprocess.run([where / "bin/python", program, file], check=True, capture_output=True, text=True, timeout=_WAIT_S)  # fmt: skip
    except (subprocess.SubprocessError, OSError) as fault:
        raise NotMeasured(f"{_PEER}: {fault}") from fault
    return float(ran.stdout)


# ---------------------------------------------------------------- a key's echo


def echo(*, quick: bool) -> Iterator[Row]:
    """From a key to its echo, beside the echo of a bare WebSocket and of a bare pseudo-terminal together."""
    rounds = 50 if quick else 500
    with _served() as served:
        times = trio.run(_echoes, served, rounds)
    floor = median(trio.run(_bare_socket, rounds)) + median(_bare_echoes(rounds))
    yield Row(what="key to echo, p50", unit="ms", ours=median(times) * 1000, floor=floor * 1000, goal=Goal("at most", 2.5, of_floor=True))  # fmt: skip
    yield Row(what="key to echo, p99", unit="ms", ours=_p99(times) * 1000, goal=Goal("at most", 100))  # fmt: skip


async def _echoes(served: Served, rounds: int) -> list[float]:
    session = await served.create("/bin/cat")
    times = []
    async with served.attached(session) as client:
        for _ in range(rounds):
            began = time.perf_counter()
            await client.type(b"k")
            await client.until(b"k")
            times.append(time.perf_counter() - began)
    return times


async def _bare_socket(rounds: int) -> list[float]:
    times = []
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as serving:

        async def answer(stream: trio.SocketStream) -> None:
            async with accept(stream, _LIMITS, lambda _: None) as socket:
                while True:
                    await socket.send(await socket.receive())

        serving.start_soon(trio.serve_listeners, answer, [listener])
        stream = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        async with client_on(stream, "localhost", _LIMITS) as socket:
            for _ in range(rounds):
                began = time.perf_counter()
                await socket.send("k")
                await socket.receive()
                times.append(time.perf_counter() - began)
            serving.cancel_scope.cancel()
    return times


def _bare_echoes(rounds: int) -> list[float]:
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("cat", ["cat"])
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        os.write(master, b"k")
        os.read(master, 16)
        times.append(time.perf_counter() - began)
    os.close(master)
    os.waitpid(pid, 0)
    return times


# ---------------------------------------------------------------- the first byte, Ctrl-C


def first_byte(*, quick: bool) -> Iterator[Row]:
    """From the wish for a session, and from the wish to see one, to something that is shown."""
    rounds = 8 if quick else 50
    with _served() as served:
        created, attached = trio.run(_first_bytes, served, rounds)
    yield Row(what="create to first prompt, p99", unit="ms", ours=_p99(created) * 1000, goal=Goal("at most", 500))  # fmt: skip
    yield Row(what="attach to first byte, p50", unit="ms", ours=median(attached) * 1000, goal=Goal("at most", 100))  # fmt: skip


async def _first_bytes(served: Served, rounds: int) -> tuple[list[float], list[float]]:
    created, attached = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        session = await served.create("/bin/sh")
        async with served.attached(session) as client:
            await client.read()
        created.append(time.perf_counter() - began)
        began = time.perf_counter()
        async with served.attached(session) as client:
            await client.read()
        attached.append(time.perf_counter() - began)
        await served.ask("kill", session_id=session["session_id"])
    return created, attached


def interrupt(*, quick: bool) -> Iterator[Row]:
    """From Ctrl-C under `yes` until nothing more comes but the prompt."""
    rounds = 5 if quick else 50
    with _served() as served:
        times = trio.run(_interrupted, served, rounds)
    yield Row(what="Ctrl-C under yes until quiet, p99", unit="ms", ours=_p99(times) * 1000, goal=Goal("at most", 100))  # fmt: skip


async def _interrupted(served: Served, rounds: int) -> list[float]:
    session = await served.create("/bin/sh", "-c", "trap : INT; while :; do echo prompt; read x; yes; done")  # fmt: skip
    times = []
    async with served.attached(session) as client:
        await client.until(b"prompt")
        for _ in range(rounds):
            await client.type(b"\n")
            for _ in range(20):
                await client.read()
            began = time.perf_counter()
            await client.type(b"\x03")
            await client.until(b"prompt")
            times.append(time.perf_counter() - began)
    return times


# ---------------------------------------------------------------- memory


def memory(*, quick: bool) -> Iterator[Row]:
    """Of a keeper, and of the daemon for each session that nobody uses."""
    count = 10 if quick else 100
    with _served() as served:
        keeper, grown = trio.run(partial(_weighed, served, count))
    yield Row(what="a keeper", unit="MiB", ours=keeper, goal=Goal("at most", 16))
    yield Row(what="the daemon, for each idle session", unit="KiB", ours=grown * 1024, goal=Goal("at most", 64))  # fmt: skip


async def _weighed(served: Served, count: int) -> tuple[float, float]:
    session = await served.create("/bin/cat")
    before = (await trio.to_thread.run_sync(settled_weight, served.pid)).resident
    for _ in range(count):
        await served.create("/bin/cat")
    grown = (weight(served.pid).resident - before) / count
    return weight(session["keeper"]).resident / 2**20, grown / 2**20


def _p99(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]
