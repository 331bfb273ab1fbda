"""The daemon by itself: how soon it serves, and what an idle session weighs."""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack

from .pairs import SIDES, Daemon, Side, floor_daemon, our_daemon
from .peer import connection, greet, run
from .processes import (
    FLOOR,
    NotMeasured,
    child,
    environment,
    free_port,
    home,
    read_line,
    settled_weight,
)
from .report import Goal, Row, median

_KEY = "bench"  # a provider that is configured and never asked
_FIRST, _FURTHER = 100, 5000  # idle connections before the first weighing and between the two


def cold(*, quick: bool) -> Iterator[Row]:
    """From the spawn of a daemon to the first hello it answers; and whether openai came before."""
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(2 if quick else 9):
        mine.append(_timed_start(lambda: our_daemon(GLM_API_KEY=_KEY), "ours"))
        theirs.append(_timed_start(floor_daemon, "floor"))
    yield Row(
        what="daemon: cold start to the first hello, median",
        unit="ms",
        ours=median(mine) * 1000,
        floor=median(theirs) * 1000,
        goal=Goal("at most", 1000),
    )
    yield Row(
        what="daemon: openai imported before it listens, or in its main thread (1: yes)",
        unit="",
        ours=float(_imports_openai_early()),
        goal=Goal("at most", 0),
    )


def _timed_start(start: Callable[[], AbstractContextManager[Daemon]], side: Side) -> float:
    began = time.perf_counter()
    with start() as daemon:
        run(_meet, daemon.port, side)
        return time.perf_counter() - began


async def _meet(port: int, side: Side) -> None:
    async with connection(port) as socket_:
        if side == "ours":
            await greet(socket_)


def _imports_openai_early() -> bool:
    with home() as where:
        env = environment(where, EXAI_WS_PORT=free_port(), GLM_API_KEY=_KEY)
        command = [sys.executable, str(FLOOR / "watch_openai.py")]
        with child(command, env, where) as process:
            while True:
                line = read_line(process)
                if line.startswith("{"):
                    seen = json.loads(line)
                    return not (seen["listening"] and seen["aside"])


def idle(*, quick: bool) -> Iterator[Row]:
    """What a session with an idle connection adds to the daemon."""
    further = _FURTHER // 25 if quick else _FURTHER
    _allow_files(_FIRST + further + 200)
    weights: dict[Side, float] = {}
    room = {"MAX_CONNECTIONS": _FIRST + further + 50}
    with our_daemon(**room) as mine, floor_daemon() as theirs:
        for side, daemon in zip(SIDES, (mine, theirs), strict=True):
            weights[side] = run(_added, daemon, side, further) / further / 1024
    yield Row(
        what=f"daemon: an idle session, mean of {further}",
        unit="KiB",
        ours=weights["ours"],
        floor=weights["floor"],
        goal=Goal("at most", 32),
    )


def _allow_files(count: int) -> None:
    """Children get the same limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise NotMeasured(f"this account may open {hard} files; {count} are needed")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


async def _added(daemon: Daemon, side: Side, further: int) -> int:
    """Bytes that so many further connections add to what is resident."""
    async with AsyncExitStack() as connections:
        await _open(connections, daemon, side, _FIRST)
        before = settled_weight(daemon.process.pid).resident
        await _open(connections, daemon, side, further)
        return settled_weight(daemon.process.pid).resident - before


async def _open(connections: AsyncExitStack, daemon: Daemon, side: Side, count: int) -> None:
    for _ in range(count):
        socket_ = await connections.enter_async_context(connection(daemon.port))
        if side == "ours":
            await greet(socket_)
