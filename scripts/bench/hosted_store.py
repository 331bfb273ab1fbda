"""The store at Supabase against the embedded one, by turns in one run: what is added, read, sent, and loaded at the start."""

import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from exai_trio.storage.base import Step, Turn
from exai_trio.storage.hosted.outbox_entries import BATCH_LENGTH, Entry, sorted_by_key
from exai_trio.storage.sqlite.store import open_sqlite

from .processes import NotMeasured, child, environment, free_port, home, ours, read_line
from .report import Goal, Row, median, percentile

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "storage"))

from hosted.machine import open_machine  # found by the line above
from hosted.stage import Stage, the_stage

_END = 4_000_000_000.0
_TEXT = "What was asked and answered in this exchange, in the words of a model. " * 20
Add = Callable[[Any, str, int], Awaitable[None]]
_HOSTED = ("httpx2", "psycopg", "supabase", "postgrest", "exai_trio.storage.supabase")


def _exchange(name: str) -> tuple[Turn, Turn]:
    asked = Turn(role="user", text=_TEXT, tool="chat", at=1.0, key=f"q{name}")
    said = Turn(role="assistant", text=_TEXT, tool="chat", at=1.0, key=f"a{name}", model="m")
    return asked, said


def _staged(measure: Any, rounds: int) -> Any:
    """What `measure` gives on a stage that is closed afterwards."""
    stage, reason = the_stage()
    if stage is None:
        raise NotMeasured(reason)
    try:
        return trio.run(measure, stage, rounds)
    finally:
        stage.close()


@asynccontextmanager
async def _both(stage: Stage, **more: Any) -> AsyncGenerator[tuple[Any, Any, Any]]:
    """A machine before Supabase, an embedded store, and the gateway between."""
    with home() as where:
        async with (
            stage.open_gateway() as gateway,
            open_sqlite(where / "embedded.db") as embedded,
            open_machine(where / "a.db", gateway.url, gateway.key, **more) as machine,
        ):
            yield machine, embedded, gateway


def kept(*, quick: bool) -> Iterator[Row]:
    """One exchange: the floor is the embedded store."""
    mine, theirs = _staged(_kept, 200 if quick else 2_000)
    yield Row(
        what="exchange kept, supabase beside sqlite, p50",
        unit="ms",
        ours=median(mine) * 1000,
        floor=median(theirs) * 1000,
        goal=Goal("at most", 1.5, of_floor=True),
    )


async def _kept(stage: Stage, rounds: int) -> tuple[list[float], list[float]]:
    mine: list[float] = []
    theirs: list[float] = []
    async with _both(stage, sends=False) as (machine, embedded, _):
        for number in range(rounds):
            for store, times in ((machine.mirror, mine), (embedded, theirs)):
                began = time.perf_counter()
                await store.append(f"c{number % 20}", _exchange(f"{number}"), 1, _END)
                times.append(time.perf_counter() - began)
    return mine, theirs


def chat(*, quick: bool) -> Iterator[Row]:
    """What a chat asks of the store in a conversation that is here: read, with a look at the other side each time, and added to."""
    here, hole, embedded, steps, bare_steps = _staged(_chat, 40 if quick else 300)
    for what, mine, theirs in (
        ("chat", here, embedded),
        ("workflow step", steps, bare_steps),
    ):
        yield Row(
            what=f"{what}, Supabase here, beyond the embedded store, p50",
            unit="ms",
            ours=(median(mine) - median(theirs)) * 1000,
            goal=Goal("at most", 5),
        )
    yield Row(
        what="chat, black hole, breaker open, p50",
        unit="ms",
        ours=median(hole) * 1000,
        floor=median(embedded) * 1000,
        goal=Goal("at most", 1.05, of_floor=True),
    )


async def _chat(stage: Stage, rounds: int) -> tuple[list[float], ...]:
    async with _both(stage, threshold=1) as (machine, embedded, gateway):
        here, floor = await _turns(machine.mirror, embedded, rounds, "here")
        steps = await _turns(machine.mirror, embedded, rounds, "steps", _add_step)
        await machine.wait_sent()
        gateway.break_all(black_hole=True)
        machine.mirror.looks.forget()
        await machine.mirror.load("here", 1)  # opens the breaker
        hole, again = await _turns(machine.mirror, embedded, rounds, "hole")
        return here, hole, floor + again, *steps


async def _append(store: Any, name: str, number: int) -> None:
    await store.append(name, _exchange(f"{name}{number}"), 1, _END)


async def _add_step(store: Any, name: str, number: int) -> None:
    step = Step(tool="debug", at=1.0, data={"note": _TEXT}, key=f"s{name}{number}")
    await store.add_step(name, step, 1, _END)


async def _turns(
    mirror: Any, embedded: Any, rounds: int, name: str, add: Add = _append
) -> tuple[list[float], list[float]]:
    mine: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        for store, times in ((mirror, mine), (embedded, theirs)):
            mirror.looks.forget()  # five seconds have passed since the last chat
            began = time.perf_counter()
            if number:
                await store.load(name, 1)
                await store.steps(name, 1)
            await add(store, name, number)
            times.append(time.perf_counter() - began)
    return mine, theirs


def drain(*, quick: bool) -> Iterator[Row]:
    """A full outbox: the floor posts the same batches to the same function by a bare client, without a database of its own."""
    mine, theirs = _staged(_drain, 1_000 if quick else 10_000)
    yield Row(
        what="outbox sent, entries of 3 KB",
        unit="entries/s",
        ours=mine,
        floor=theirs,
        goal=Goal("at least", 0.7, of_floor=True),
    )


async def _drain(stage: Stage, entries: int) -> tuple[float, float]:
    async with _both(stage, sends=False) as (machine, _, _gateway):
        for number in range(entries):
            await machine.mirror.append(f"c{number % 200}", _exchange(f"{number}"), 1, _END)
        floor = await _bare(machine)
        stage.empty()
        began = time.perf_counter()
        async with trio.open_nursery() as sending:
            sending.start_soon(machine.sender.run)
            await machine.wait_sent()
            sending.cancel_scope.cancel()
        return entries / (time.perf_counter() - began), floor


async def _bare(machine: Any) -> float:
    """Entries a second, all of which are in memory already."""
    query = "SELECT id, kind, key, body, at FROM outbox ORDER BY number"
    rows = await machine.store.read(lambda connection: connection.execute(query).fetchall())
    names = ("id", "kind", "key", "body", "at")
    entries = [Entry(**dict(zip(names, row, strict=True))) for row in rows]
    starts = range(0, len(entries), BATCH_LENGTH)
    batches = [sorted_by_key(entries[start : start + BATCH_LENGTH]) for start in starts]
    began = time.perf_counter()
    for batch in batches:
        await machine.remote.apply(batch)
    return len(entries) / (time.perf_counter() - began)


def lag(*, quick: bool) -> Iterator[Row]:
    """From an exchange that is kept here to the moment at which it is there, at 50 a second."""
    lags = _staged(_lag, 200 if quick else 1_500)
    yield Row(
        what="lag to Supabase at 50 exchanges/s, p99",
        unit="ms",
        ours=percentile(lags, 99) * 1000,
        goal=Goal("at most", 1000),
    )


async def _lag(stage: Stage, exchanges: int) -> list[float]:
    kept_at: dict[str, float] = {}
    lags: list[float] = []
    async with _both(stage) as (machine, _, _gateway):
        machine.mirror.remote.connect(_Noting(machine.remote, kept_at, lags))
        for number in range(exchanges):
            next_at = trio.current_time() + 0.02
            kept_at[f"m:q{number}"] = time.perf_counter()
            await machine.mirror.append(f"c{number % 20}", _exchange(f"{number}"), 1, _END)
            await trio.sleep_until(next_at)
        await machine.wait_sent()
    return lags


@attrs.frozen
class _Noting:
    """The other side, with how long each entry was on its way."""

    remote: Any
    kept_at: dict[str, float]
    lags: list[float]

    async def apply(self, batch: Any) -> Any:
        applied = await self.remote.apply(batch)
        now = time.perf_counter()
        self.lags.extend(now - self.kept_at[one.id] for one in batch if one.id in self.kept_at)
        return applied


def start(*, quick: bool) -> Iterator[Row]:
    """What a daemon with the embedded store has loaded of the hosted one, which is nothing; and how soon one with the hosted serves."""
    program = (
        "import sys, exai_trio.commands.serve, exai_trio.daemon.backends;"
        f"print(sum(name.startswith({_HOSTED[1:]!r}) for name in sys.modules))"
    )
    counts = [_counted(program) for _ in range(1 if quick else 3)]
    yield Row(
        what="hosted modules loaded with sqlite",
        unit="modules",
        ours=statistics.fmean(counts),
        goal=Goal("at most", 0),
    )
    times: dict[str, list[float]] = {"supabase": [], "sqlite": []}
    for _ in range(3 if quick else 15):
        for backend, seconds in times.items():
            seconds.append(_started(backend))
    yield Row(
        what="start to serving with supabase, beside sqlite",
        unit="ms",
        ours=median(times["supabase"]) * 1000,
        floor=median(times["sqlite"]) * 1000,
        goal=Goal("at most", 1.05, of_floor=True),
    )


def _started(backend: str) -> float:
    """Seconds until a daemon of that store serves; its Supabase is not there, and whether it were is looked for afterwards."""
    settings = {
        "STORAGE_BACKEND": backend,
        "SUPABASE_URL": f"http://127.0.0.1:{free_port()}",
        "SUPABASE_KEY": "sb_secret_of_the_benchmark",
        "EXAI_WS_PORT": 0,
        "EXAI_SIMULATE": "true",
    }
    with home() as where:
        began = time.perf_counter()
        with child(ours("serve"), environment(where, **settings), where) as process:
            read_line(process)
            return time.perf_counter() - began


def _counted(program: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotMeasured(done.stderr[-300:])
    return int(done.stdout)
