"""What a client feels of a real daemon at work: chats that wait for slow models at once, and pings while files are read."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import httpx2
import trio
from trio_websocket import WebSocketConnection

from .pairs import Daemon, our_daemon
from .peer import Said, connection, greet, hear, run, say
from .processes import NotMeasured, home
from .report import Goal, Row, median, percentile
from .simulator import simulator

_AT_ONCE, _DELAY_S = 8, 2.0
_MODELS: Final = (
    "glm-4.5-flash",
    "kimi-k2.6",
)  # half each: so the limits are those of the defaults
_LONG: Final = "glm-5.2"  # holds a million tokens
_PING_EVERY_S: Final = 0.005
FILES, _LINES = 500, 625  # of 16 bytes: 5 MB in all
_LINE: Final = "x = 1  # a line\n"


def at_once(*, quick: bool) -> Iterator[Row]:
    """Slow answers are waited for side by side; the floor asks the same simulator bare."""
    with our_daemon(EXAI_SIMULATE="true") as daemon, simulator() as (origin, _):
        rounds = range(1 if quick else 5)
        mine = run(_chats, daemon.port, rounds)
        theirs = [run(_bare_chats, origin) for _ in rounds]
    yield Row(
        what=f"{_AT_ONCE} chats of {_DELAY_S:g} s at once, all answered",
        unit="s",
        ours=max(mine),
        floor=max(theirs),
        goal=Goal("at most", 2.6),
    )


async def _chats(port: int, rounds: range) -> list[float]:
    """Seconds of each round, from the first question to the last answer."""
    seconds: list[float] = []
    async with connection(port) as socket:
        await greet(socket)
        await _ask_all(socket, "warm", "Hello.")
        for number in rounds:
            began = time.perf_counter()
            await _ask_all(socket, f"r{number}", f"Hello. [[simulate: delay={_DELAY_S:g}]]")
            seconds.append(time.perf_counter() - began)
    return seconds


async def _ask_all(socket: WebSocketConnection, name: str, prompt: str) -> None:
    for number in range(_AT_ONCE):
        model = _MODELS[number % len(_MODELS)]
        await _ask(socket, f"{name}-{number}", prompt=prompt, model=model)
    for _ in range(_AT_ONCE):
        await _answer(socket)


async def _ask(socket: WebSocketConnection, request_id: str, **arguments: object) -> None:
    arguments |= {"use_websearch": False}
    await say(socket, "call_tool", request_id=request_id, name="chat", arguments=arguments)


async def _answer(socket: WebSocketConnection) -> None:
    """The end of some call. Raises NotMeasured if it failed."""
    while (said := await hear(socket)).op != "call_tool_res":
        pass
    _check(said)
    await say(socket, "ack", seq=said.seq)


def _check(said: Said) -> None:
    if not said.ok:
        raise NotMeasured(f"a call failed: {bytes(said.error).decode()}")


async def _bare_chats(origin: str) -> float:
    """The same questions with httpx2 alone."""
    async with httpx2.AsyncClient(timeout=30) as client:
        await _bare_chat(client, origin, "Hello.")
        began = time.perf_counter()
        async with trio.open_nursery() as asking:
            for _ in range(_AT_ONCE):
                prompt = f"Hello. [[simulate: delay={_DELAY_S:g}]]"
                asking.start_soon(_bare_chat, client, origin, prompt)
        return time.perf_counter() - began


async def _bare_chat(client: httpx2.AsyncClient, origin: str, prompt: str) -> None:
    message = {"role": "user", "content": prompt}
    body = {"model": _MODELS[0], "messages": [message], "stream": True}
    answer = await client.post(
        f"{origin}/glm/api/paas/v4/chat/completions",
        json=body,
        headers={"Authorization": "Bearer simulated"},
    )
    if answer.status_code != httpx2.codes.OK:
        raise NotMeasured(f"the simulator said {answer.status_code}")


def pings(*, quick: bool) -> Iterator[Row]:
    """How late a pong is while chats read and send many files: on the connection that asked, and without any chat."""
    with home() as where:
        root = where.resolve() / "root"
        write_files(root)
        with our_daemon(EXAI_SIMULATE="true") as daemon:
            busy, idle = run(_waits, daemon, root, 2 if quick else 10)
    yield Row(
        what=f"daemon: ping while chats read {FILES} files (5 MB), p99",
        unit="ms",
        ours=percentile(busy, 99) * 1000,
        floor=percentile(idle, 99) * 1000,
        goal=Goal("at most", 20),
    )
    yield Row(
        what="  the same, p50", unit="ms", ours=median(busy) * 1000, floor=median(idle) * 1000
    )
    yield Row(what="  the same, latest of all", unit="ms", ours=max(busy) * 1000)


def write_files(root: Path) -> None:
    for number in range(FILES):
        folder = root / f"part{number % 20}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"m{number:03}.py").write_text(_LINE * _LINES)
    (root / ".gitignore").write_text("*.log\n/build/\n__pycache__/\n")


@attrs.define
class _Ear:
    """What comes on one connection: pongs with their waits, and the ends of calls."""

    waits: list[float] = attrs.field(factory=list[float])
    sent: dict[str, float] = attrs.field(factory=dict[str, float])
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def hear_all(self, socket: WebSocketConnection) -> None:
        while True:
            said = await hear(socket)
            if said.op == "pong":
                self.waits.append(trio.current_time() - self.sent.pop(said.request_id))
            elif said.op == "call_tool_res":
                _check(said)
                await say(socket, "ack", seq=said.seq)
                self.ended.set()
                self.ended = trio.Event()


async def _waits(daemon: Daemon, root: Path, chats: int) -> tuple[list[float], list[float]]:
    """Seconds of every ping while chats run, and while none does."""
    async with connection(daemon.port) as socket:
        await greet(socket, roots=[str(root)])
        await _ask(socket, "warm", prompt="Hello.", model=_LONG)
        await _answer(socket)
        async with _pinging(socket) as idle:
            await trio.sleep(1)
        async with _pinging(socket) as busy:
            for number in range(chats):
                ended = busy.ended
                await _ask(socket, f"c{number}", prompt="Why?", model=_LONG, files=[str(root)])
                await ended.wait()
        return busy.waits, idle.waits


@asynccontextmanager
async def _pinging(socket: WebSocketConnection) -> AsyncGenerator[_Ear]:
    """Pings at a steady pace, whether or not the one before was answered."""
    ear = _Ear()
    async with trio.open_nursery() as legs:
        legs.start_soon(ear.hear_all, socket)
        legs.start_soon(_ping, socket, ear)
        yield ear
        legs.cancel_scope.cancel()


async def _ping(socket: WebSocketConnection, ear: _Ear) -> None:
    began = trio.current_time()
    for number in range(1_000_000):
        await trio.sleep_until(began + number * _PING_EVERY_S)
        ear.sent[str(number)] = trio.current_time()
        await say(socket, "ping", request_id=str(number))
