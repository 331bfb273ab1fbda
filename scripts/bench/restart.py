"""How soon a daemon serves that finds a long log of calls: open ones, which it runs again, and many that have ended."""

import time
from collections.abc import Iterator
from pathlib import Path

import trio

from exai_trio.storage.append_log.log import open_call_log
from exai_trio.storage.journal import KeptCall, KeptOutcome, NoHandles
from exai_trio.storage.sqlite.store import open_sqlite

from .pairs import port_in
from .peer import connection, greet, hear, run, say
from .processes import NotMeasured, child, environment, home, ours, read_line
from .report import Goal, Row, median

_OPEN, _ENDED, _SESSIONS = 10_000, 100_000, 500
_PROMPT = "x" * 300


def restart(*, quick: bool) -> Iterator[Row]:
    """From the spawn of the daemon to its first hello and its first call, beside the reading of the same bytes."""
    part = 10 if quick else 1
    hello: list[float] = []
    called: list[float] = []
    read: list[float] = []
    for _ in range(1 if quick else 5):
        with home() as where:
            trio.run(_write_log, where / "state", _OPEN // part, _ENDED // part)
            read.append(_reading(where / "state"))
            first, second = _timed_start(where)
            hello.append(first)
            called.append(second)
    what = f"daemon: start with {_OPEN // part:,} open and {_ENDED // part:,} ended calls in the log, to the first hello"
    for name, seconds in ((what, hello), ("  the same, to the answer of the first call", called)):
        yield Row(
            what=name,
            unit="ms",
            ours=median(seconds) * 1000,
            floor=median(read) * 1000,
            goal=Goal("at most", 1000),
        )


async def _write_log(state: Path, unended: int, ended: int) -> None:
    """As a daemon leaves it that is killed: all that has ended is acknowledged, and nothing is folded."""
    path = state / "exai.db"
    async with open_sqlite(path) as store, open_call_log(path, store) as logged:
        journal = logged.journal
        for number in range(unended + ended):
            call = _call(number)
            await journal.accept(call)
            if number % ((unended + ended) // unended):
                outcome = KeptOutcome(seq=number * 2 + 2, frame=call.frame, at=call.at)
                await journal.finish(call.session, call.request, outcome)
        names = {_call(number).session for number in range(_SESSIONS)}
        acks = dict.fromkeys(names, (unended + ended) * 2)
        await journal.acknowledge(acks, dict.fromkeys(names, NoHandles(0)))


def _call(number: int) -> KeptCall:
    return KeptCall(
        session=f"shim_{number // 11 % _SESSIONS:024x}",
        request=f'"r{number}"',
        principal="owner",
        resumable=True,
        seq=number * 2 + 1,
        frame=f'{{"op":"call_tool","request_id":"r{number}","name":"test_echo","arguments":{{"prompt":"{_PROMPT}"}},"handle_after_s":50}}',
        roots=(),
        timeout=60.0,
        at=time.time(),
        lasting=True,
    )


def _reading(state: Path) -> float:
    began = time.perf_counter()
    for path in state.glob("exai.db.calls-*"):
        path.read_bytes()
    return time.perf_counter() - began


def _timed_start(where: Path) -> tuple[float, float]:
    """A client whom nobody knows: its name is looked for in the log."""
    began = time.perf_counter()
    with child(ours("serve"), environment(where, EXAI_WS_PORT=0), where) as process:
        return run(_meet, port_in(read_line(process)), began)


async def _meet(port: int, began: float) -> tuple[float, float]:
    async with connection(port) as socket_:
        await greet(socket_, session_id="bench_newcomer")
        greeted = time.perf_counter() - began
        await say(socket_, "call_tool", request_id="1", name="test_echo", arguments={"prompt": "x"})
        while (heard := await hear(socket_)).op != "call_tool_res":
            pass
        if not heard.ok:
            raise NotMeasured(f"the first call failed: {heard}")
        return greeted, time.perf_counter() - began
