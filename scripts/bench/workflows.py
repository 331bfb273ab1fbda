"""What a workflow step costs by itself, beside the bare writes and reads that no store can do without; and many at once."""

import gc
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final, cast

import attrs
import trio

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import Backends, Models
from exai_trio.filestore.kept_files import in_database
from exai_trio.observability.events import RequestEnded
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.providers.answers.accumulator import ChatAnswer
from exai_trio.providers.base import ChatRequest, Usage
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.gateway import Gateway, Listener, ModelChoice
from exai_trio.providers.routing import Router
from exai_trio.storage.base import Turn
from exai_trio.storage.sqlite.store import SqliteStore, open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.system.clock import unix_now
from exai_trio.tools.arguments import parse
from exai_trio.tools.base import Caller, Services
from exai_trio.tools.registry import BUILT_IN, Registry
from exai_trio.workspace.read import NOTHING_FOUND, Found

from .processes import NotMeasured, home
from .report import Goal, Row, median

_STORED: Final = 1_000
_AT_ONCE, _STEPS_EACH = 50, 20
_HOUR: Final = 3600.0
_TEXT = "What was looked at in this step, and what was seen there, in the words of an agent. " * 10

Step = Callable[[int], Awaitable[None]]


def step(*, quick: bool) -> Iterator[Row]:
    """One step that asks no model, with conversations already stored; the floor inserts and reads the same text bare."""
    mine, theirs = trio.run(_step_costs, 60 if quick else 400)
    yield Row(
        what=f"workflow step that asks no model, {_STORED:,} conversations stored, p50",
        unit="ms",
        ours=median(mine) * 1000,
        floor=median(theirs) * 1000,
        goal=Goal("at most", 3),
    )


async def _step_costs(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds per step, by turns: ours, and a bare transaction and query in a thread each."""
    mine: list[float] = []
    theirs: list[float] = []
    with home() as where:
        async with _bench(where) as (bench, store):
            await _fill(store)
            with closing(_bare_store(where / "bare.db")) as bare:
                for number in range(rounds):
                    mine.append(await _timed(bench.step, number))
                    theirs.append(await _timed(_bare_step(bare), number))
    return mine, theirs


async def _timed(step: Step, number: int) -> float:
    began = time.perf_counter()
    await step(number)
    return time.perf_counter() - began


async def _fill(store: SqliteStore) -> None:
    now = unix_now()
    turns = tuple(
        Turn(role=role, text=_TEXT, tool="chat", at=now) for role in ("user", "assistant")
    )
    async with trio.open_nursery() as filling:
        for number in range(_STORED):
            filling.start_soon(store.append, f"stored-{number}", turns, now, now + _HOUR)


def _bare_store(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE steps (conversation TEXT, number INTEGER, data TEXT)")
    connection.execute("CREATE INDEX by_conversation ON steps (conversation, number)")
    return connection


def _bare_step(connection: sqlite3.Connection) -> Step:
    def write(number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO steps VALUES (?, ?, ?)", (_thread(number), number, _TEXT))
        connection.execute("COMMIT")

    def read(number: int) -> None:
        query = "SELECT data FROM steps WHERE conversation = ? ORDER BY number"
        connection.execute(query, (_thread(number),)).fetchall()

    async def both(number: int) -> None:
        await trio.to_thread.run_sync(read, number)
        await trio.to_thread.run_sync(write, number)

    return both


def _thread(number: int) -> str:
    return f"thread-{number // _STEPS_EACH}"


def many(*, quick: bool) -> Iterator[Row]:
    """Many investigations at once, each prompt checked; how long they take, and what they leave in memory."""
    found = trio.run(_many, 2 if quick else 4)
    steps = _AT_ONCE * _STEPS_EACH
    yield Row(
        what=f"{_AT_ONCE} investigations at once, {steps:,} steps: prompts that hold another's text",
        unit="",
        ours=float(found.mixed),
        goal=Goal("at most", 0),
    )
    yield Row(
        what=f"{_AT_ONCE} investigations at once, {steps:,} steps: all of them",
        unit="ms",
        ours=found.seconds * 1000,
        floor=found.bare_seconds * 1000,
    )
    yield Row(
        what=f"{_AT_ONCE} investigations at once, {steps:,} steps: memory after, beside before",
        unit="MiB",
        ours=found.after / 2**20,
        floor=found.before / 2**20,
        goal=Goal("at most", 1.1, of_floor=True),
    )


@attrs.define
class _Found:
    mixed: int = 0
    seconds: float = 0.0
    bare_seconds: float = 0.0
    before: int = 0
    after: int = 0


async def _many(rounds: int) -> _Found:
    """The first round warms up: arenas and caches that stay are not what a round leaves behind."""
    found = _Found()
    with home() as where:
        async with _bench(where) as (bench, _):
            for _round in range(rounds):
                found.before = found.after
                began = time.perf_counter()
                await _investigate_all(bench)
                found.seconds = time.perf_counter() - began
                found.mixed += bench.mixed()
                bench.gateway.requests.clear()
                found.after = _resident()
        with closing(_bare_store(where / "bare.db")) as bare:
            began = time.perf_counter()
            limited = _bare_step(bare)
            for number in range(_AT_ONCE * _STEPS_EACH):
                await limited(number)
            found.bare_seconds = time.perf_counter() - began
    return found


async def _investigate_all(bench: "_Bench") -> None:
    async with trio.open_nursery() as investigating:
        for number in range(_AT_ONCE):
            investigating.start_soon(_investigate, bench, number)


async def _investigate(bench: "_Bench", number: int) -> None:
    again = ""
    for step in range(1, _STEPS_EACH + 1):
        text = f"<{number}:{step}> {_TEXT}"
        again = await bench.say(step, text, again)


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@attrs.define
class _FakeGateway:
    """Answers at once and keeps the requests."""

    keys: KnownSecrets = attrs.field(factory=KnownSecrets)
    requests: list[ChatRequest] = attrs.field(factory=list[ChatRequest])
    router: Router = attrs.field(
        factory=lambda: Router(catalogue=load_catalogue(), configured=("glm",), remedies={})
    )

    async def look_again(self) -> None: ...

    def choose(
        self, model: str, *, images: bool = False, tools: bool = False, prompt_tokens: int = 0
    ) -> ModelChoice:
        return self.router.choose(model, images=images, tools=tools, prompt_tokens=prompt_tokens)

    async def chat(
        self, choice: ModelChoice, request: ChatRequest, _listener: Listener
    ) -> ChatAnswer:
        await trio.lowlevel.checkpoint()
        self.requests.append(request)
        name = choice.model.name
        return ChatAnswer(
            text="It is so.",
            reasoning="",
            tool_calls=(),
            finish_reason="stop",
            usage=Usage(),
            cost=None,
            currency="USD",
            model_requested=name,
            model_used=name,
            provider=choice.provider,
        )


class _Caller:
    """A call that nobody watches."""

    roots: tuple[Path, ...] = ()
    found: Found = NOTHING_FOUND
    principal = "owner"
    attempt = 1
    request_id = session_id = idempotency_key = "bench"

    def stage(self, stage: str, message: str) -> None: ...

    def chunk(self, text: str) -> None: ...

    def waited_for_provider(self, provider: str, seconds: float) -> None: ...

    def requested(self, request: RequestEnded) -> None: ...

    def flows(self, until: float) -> float:
        return until


@attrs.define
class _Bench:
    services: Services
    gateway: _FakeGateway
    _again: str = ""

    async def step(self, number: int) -> None:
        """The next step of an investigation that begins anew every so often; never the last."""
        at = number % _STEPS_EACH + 1
        self._again = await self.say(at, _TEXT, "" if at == 1 else self._again, more=True)

    async def say(self, number: int, text: str, again: str, *, more: bool | None = None) -> str:
        tool = Registry(tools=BUILT_IN).get("debug")
        arguments: dict[str, Any] = {
            "step": f"step {number}",
            "step_number": number,
            "total_steps": _STEPS_EACH,
            "next_step_required": number < _STEPS_EACH if more is None else more,
            "findings": text,
            "continuation_id": again,
        }
        answer = await tool.run(parse(tool, arguments), cast("Caller", _Caller()), self.services)
        if answer.structured is None:
            raise NotMeasured("a step gave no structured answer")
        return str(answer.structured["continuation_id"])

    def mixed(self) -> int:
        """Prompts that lack one of their own steps or hold one of another investigation."""
        return sum(not _is_pure(request) for request in self.gateway.requests)


def _is_pure(request: ChatRequest) -> bool:
    text = request.messages[-1].text
    own = text.partition("<")[2].partition(":")[0]
    steps = [text.count(f"<{own}:{step}>") for step in range(1, _STEPS_EACH + 1)]
    return steps == [1] * _STEPS_EACH and text.count("<") == _STEPS_EACH


@asynccontextmanager
async def _bench(where: Path) -> AsyncGenerator[tuple[_Bench, SqliteStore]]:
    async with open_sqlite(where / "exai.db") as store:
        gateway = _FakeGateway()
        backends = Backends(
            models=Models(gateway=cast("Gateway", gateway)),
            conversations=store,
            threads=SqliteThreads(store),
            files=in_database(store, where / "objects", 1.0),
            ratios=MemoryRatios(),
        )
        services = build(Config(), backends, port=0).environment.services
        yield _Bench(services, gateway), store
