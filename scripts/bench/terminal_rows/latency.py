"""From a key to its echo, from a wish to the first byte, from Ctrl-C to silence, from a daemon that is back to a terminal that is."""

import os
import pty
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager

import attrs
import trio

from exai_trio.terminal.terminal_link import TerminalLink
from exai_trio.transport.client_auth import Credentials
from exai_trio.transport.websocket import connect

from ..peer import connection
from ..processes import child, environment, floor, free_port, home, read_line
from ..report import Goal, Row, median
from .client import LIMITS, PATH, WAIT_S, Served, p99, served, serving


def echo(*, quick: bool) -> Iterator[Row]:
    """Key by key, by turns with a bare WebSocket between two processes and with a bare pseudo-terminal."""
    rounds = 60 if quick else 1000
    with served() as daemon, home() as place, child(floor("socket"), environment(place), place) as bare:  # fmt: skip
        ours_, sockets, terminals = trio.run(_by_turns, daemon, int(read_line(bare)), rounds)
    lowest = median(sockets) + median(terminals)
    yield Row(what="key to echo, p50", unit="ms", ours=median(ours_) * 1000, floor=lowest * 1000, goal=Goal("at most", 2.5, of_floor=True))  # fmt: skip
    yield Row(what="  of the floor, the WebSocket", unit="ms", ours=median(sockets) * 1000)
    yield Row(what="  of the floor, the terminal", unit="ms", ours=median(terminals) * 1000)
    yield Row(what="key to echo, p99", unit="ms", ours=p99(ours_) * 1000, goal=Goal("at most", 100))


async def _by_turns(
    daemon: Served, port: int, rounds: int
) -> tuple[list[float], list[float], list[float]]:
    mine, sockets, terminals = list[float](), list[float](), list[float]()
    session = await daemon.create("/bin/cat")
    async with daemon.attached(session) as client, connection(port) as bare:
        with _bare_cat() as master:
            for _ in range(rounds):
                mine.append(await client.echoed())
                began = time.perf_counter()
                await bare.send_message("k")
                await bare.get_message()
                sockets.append(time.perf_counter() - began)
                began = time.perf_counter()
                os.write(master, b"k")
                os.read(master, 16)
                terminals.append(time.perf_counter() - began)
    return mine, sockets, terminals


@contextmanager
def _bare_cat() -> Generator[int]:
    """Our side of a terminal on which `cat` runs, and nothing between."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("cat", ["cat"])
    try:
        yield master
    finally:
        os.close(master)
        os.waitpid(pid, 0)


def first_byte(*, quick: bool) -> Iterator[Row]:
    """From the wish for a session, and from the wish to see one, to something that is shown."""
    rounds = 8 if quick else 100
    with served() as daemon:
        created, attached = trio.run(_first_bytes, daemon, rounds)
    yield Row(what="create to first prompt, p99", unit="ms", ours=p99(created) * 1000, goal=Goal("at most", 500))  # fmt: skip
    yield Row(what="attach to first byte, p50", unit="ms", ours=median(attached) * 1000, goal=Goal("at most", 100))  # fmt: skip


async def _first_bytes(daemon: Served, rounds: int) -> tuple[list[float], list[float]]:
    created, attached = list[float](), list[float]()
    for _ in range(rounds):
        began = time.perf_counter()
        session = await daemon.create("/bin/sh")
        async with daemon.attached(session) as client:
            await client.read()
        created.append(time.perf_counter() - began)
        began = time.perf_counter()
        async with daemon.attached(session) as client:
            await client.read()
        attached.append(time.perf_counter() - began)
        await daemon.kill(session)
    return created, attached


def interrupt(*, quick: bool) -> Iterator[Row]:
    """From Ctrl-C under `yes` until nothing more comes but the prompt."""
    rounds = 10 if quick else 100
    with served() as daemon:
        times = trio.run(_interrupted, daemon, rounds)
    yield Row(what="Ctrl-C under yes until quiet, p99", unit="ms", ours=p99(times) * 1000, goal=Goal("at most", 100))  # fmt: skip


async def _interrupted(daemon: Served, rounds: int) -> list[float]:
    session = await daemon.create("/bin/sh", "-c", "trap : INT; while :; do echo prompt; read x; yes; done")  # fmt: skip
    times = list[float]()
    async with daemon.attached(session) as client:
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


# ---------------------------------------------------------------- a daemon that is back


@attrs.define(eq=False)
class _Shown:
    """Keeps what a link shows."""

    output: bytearray = attrs.field(factory=bytearray)
    more: trio.Event = attrs.field(factory=trio.Event)

    async def show_some(self, data: bytes) -> int:
        await trio.lowlevel.checkpoint()
        self.output += data
        self.more.set()
        return len(data)

    async def until(self, part: bytes) -> None:
        while part not in self.output:
            self.more = trio.Event()
            await self.more.wait()

    def lost(self, *_: object) -> None: ...

    resized = away = back = refused = lost


def back(*, quick: bool) -> Iterator[Row]:
    """kill -9 of the daemon, another one; from its listening to the echo of what was typed meanwhile."""
    times, failed = trio.run(_returns, 5 if quick else 50)
    yield Row(what="daemon listens to terminal usable, p50", unit="ms", ours=median(times) * 1000, goal=Goal("at most", 300))  # fmt: skip
    yield Row(what="daemon listens to terminal usable, p99", unit="ms", ours=p99(times) * 1000, goal=Goal("at most", 2000))  # fmt: skip
    share = 100 * (1 - failed / (failed + len(times)))
    yield Row(what="back without a hand", unit="%", ours=share, goal=Goal("at least", 99.0))


async def _returns(rounds: int) -> tuple[list[float], int]:
    port, times, failed = free_port(), list[float](), 0
    with home() as place:
        with serving(place, EXAI_WS_PORT=str(port)) as daemon:
            session = await daemon.create("/bin/cat")
        async with _linked(port, daemon.token, session["session_id"]) as (link, shown):
            for number in range(rounds):
                word = b"round%d." % number
                with serving(place, EXAI_WS_PORT=str(port)) as daemon:
                    listening = trio.current_time()
                    link.type(word)
                    with trio.move_on_after(WAIT_S) as patience:
                        await shown.until(word)
                    if patience.cancelled_caught:
                        failed += 1
                    else:
                        times.append(trio.current_time() - listening)
                    os.kill(daemon.pid, 9)
        with serving(place, EXAI_WS_PORT=str(port)) as daemon:
            await daemon.kill(session)
    return times, failed


@asynccontextmanager
async def _linked(
    port: int, token: str, session_id: str
) -> AsyncGenerator[tuple[TerminalLink, _Shown]]:
    shown = _Shown()

    async def credential(_socket: object) -> Credentials:
        await trio.lowlevel.checkpoint()
        return Credentials(token=token)

    async def door() -> bool:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            return False
        await stream.aclose()
        return True

    link = TerminalLink(
        dial=lambda: connect("127.0.0.1", port, LIMITS, PATH),
        credential=credential,
        session_id=session_id,
        view=shown,
        size=(80, 24),
        door=door,
    )
    async with trio.open_nursery() as running:
        running.start_soon(link.run)
        yield link, shown
        running.cancel_scope.cancel()
