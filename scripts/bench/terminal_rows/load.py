"""What others notice of terminals: echoes, calls and pings beside floods, and how many creations fail."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import trio

from ..processes import FLOOR, NotMeasured, child, environment, home, read_line
from ..raw import Raw, frame, raw
from ..report import Goal, Row
from .client import Seen, Served, p99, readers, served

_FLOOD = ("/bin/sh", "-c", "exec yes 0123456789012345678901234567890123456789")
_OURS = ("exai_trio.terminal", "exai_trio.daemon.terminals", "exai_trio.wire.terminal", "exai_trio.commands.term.")  # fmt: skip
_OTHERS = 10  # of whom the echo is measured


def crowd(*, quick: bool) -> Iterator[Row]:
    """100 sessions: echoes while one floods, by turns with echoes while it stands still."""
    count, turns = (20, 2) if quick else (100, 10)
    with served() as daemon:
        flooding, sessions = trio.run(_crowd, daemon, count)
        with readers(daemon, [flooding]):
            quiet, loud = trio.run(_echoes_beside, daemon, flooding, sessions[:_OTHERS], turns)
    yield Row(what=f"{count} sessions, one floods: the others' echo, p99", unit="ms", ours=p99(loud) * 1000, floor=p99(quiet) * 1000, goal=Goal("at most", 2.0, of_floor=True))  # fmt: skip


async def _crowd(daemon: Served, count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return await daemon.create(*_FLOOD), [await daemon.create("/bin/cat") for _ in range(count - 1)]


async def _echoes_beside(
    daemon: Served, flooding: dict[str, Any], sessions: list[dict[str, Any]], turns: int
) -> tuple[list[float], list[float]]:
    times: dict[bool, list[float]] = {False: [], True: []}
    async with _all_attached(daemon, sessions) as clients:
        for _ in range(turns):
            for floods in (False, True):
                with _running([flooding], floods=floods):
                    times[floods] += [await one.echoed() for _ in range(10) for one in clients]
    return times[False], times[True]


@asynccontextmanager
async def _all_attached(
    daemon: Served, sessions: list[dict[str, Any]]
) -> AsyncGenerator[list[Seen]]:
    async with AsyncExitStack() as attached:
        yield [await attached.enter_async_context(daemon.attached(one)) for one in sessions]


@contextmanager
def _running(sessions: list[dict[str, Any]], *, floods: bool) -> Generator[None]:
    """The programs go on, or stand still."""
    for session in sessions:
        os.kill(session["pid"], signal.SIGCONT if floods else signal.SIGSTOP)
    time.sleep(0.2)  # what is under way arrives
    try:
        yield
    finally:
        for session in sessions:
            os.kill(session["pid"], signal.SIGCONT)


def beside(*, quick: bool) -> Iterator[Row]:
    """A call's p99 and a ping, beside ten floods that are read, by turns with ten that stand still."""
    count, turns = (3, 2) if quick else (10, 8)
    pings: dict[bool, list[float]] = {False: [], True: []}
    calls: dict[bool, list[float]] = {False: [], True: []}
    with served() as daemon:
        floods = trio.run(_floods, daemon, count)
        with readers(daemon, floods):
            for _ in range(turns):
                for loud in (False, True):
                    with _running(floods, floods=loud):
                        calls[loud] += trio.run(_calls, daemon.port, 100)
                        pings[loud].append(_ping(daemon.port))
    yield Row(what=f"a call beside {count} flooding terminals, p99", unit="ms", ours=p99(calls[True]) * 1000, floor=p99(calls[False]) * 1000, goal=Goal("at most", 2.0, of_floor=True))  # fmt: skip
    yield Row(what=f"a ping beside {count} flooding terminals, p99", unit="ms", ours=sorted(pings[True])[len(pings[True]) // 2], goal=Goal("at most", 20))  # fmt: skip


async def _floods(daemon: Served, count: int) -> list[dict[str, Any]]:
    return [await daemon.create(*_FLOOD) for _ in range(count)]


async def _calls(port: int, count: int) -> list[float]:
    async with raw(port) as client:
        return [await _called(client, number) for number in range(count)]


async def _called(client: Raw, number: int) -> float:
    name = f"r{number}"
    call = frame("call_tool", request_id=name, name="test_echo", arguments={"prompt": "x"})
    began = time.perf_counter()
    await client.say([call])
    while True:
        if any(b"call_tool_res" in text and name.encode() in text for _, text in await client.hear()):  # fmt: skip
            return time.perf_counter() - began


def _ping(port: int) -> float:
    """The p99 of a second, in ms."""
    with home() as place:
        env = environment(place) | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        with child([sys.executable, "-m", "bench.pinger", str(port)], env, FLOOR.parent) as pinger:
            read_line(pinger)
            time.sleep(1.0)
            if pinger.stdin is None:
                raise NotMeasured("the pinger has no stdin")
            pinger.stdin.close()
            said = read_line(pinger)
            pinger.wait()
    return float(said.split()[1])


def failures(*, quick: bool) -> Iterator[Row]:
    """Of so many sessions that are created, attached to and ended, how many fail."""
    count = 40 if quick else 1000
    with served() as daemon:
        failed = trio.run(_failed, daemon, count)
    yield Row(what=f"failed creations and attaches of {count}", unit="%", ours=100 * failed / count, goal=Goal("at most", 0.0999))  # fmt: skip


async def _failed(daemon: Served, count: int) -> int:
    failed = 0
    left = iter(range(count))

    async def worker() -> None:
        nonlocal failed
        for _ in left:
            try:
                session = await daemon.create("/bin/cat")
                async with daemon.attached(session) as client:
                    await client.echoed()
                await daemon.kill(session)
            except Exception as fault:  # noqa: BLE001 - whatever it is, it is counted
                print(f"failed: {fault!r}", file=sys.stderr)
                failed += 1

    async with trio.open_nursery() as working:
        for _ in range(4):
            working.start_soon(worker)
    return failed


def off(*, quick: bool) -> Iterator[Row]:
    """Modules of terminals that a daemon without them loads."""
    with home() as place:
        env = environment(place, EXAI_WS_PORT="0", EXAI_SIMULATE="true", EXAI_TERMINALS="false")
        command = [sys.executable, "-X", "importtime", "-P", "-m", "exai_trio", "serve"]
        with (place / "said").open("wb") as said:
            process = subprocess.Popen(command, env=env, cwd=place, stdout=subprocess.PIPE, stderr=said)  # fmt: skip
            try:
                read_line(process)
                time.sleep(1.0 if quick else 3.0)  # what it loads behind its start
            finally:
                process.terminate()
                process.communicate()
        names = [line.rpartition("|")[2].strip() for line in (place / "said").read_text().splitlines()]  # fmt: skip
    if "exai_trio.daemon.app" not in names:
        raise NotMeasured("the daemon's modules are not known")
    found = [name for name in names if name.startswith(_OURS)]
    yield Row(what="modules of terminals loaded where they are off", unit="", ours=len(found), goal=Goal("at most", 0))  # fmt: skip
