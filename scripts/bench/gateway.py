"""What a chat costs us in CPU, beside a bare httpx2 request for the same answer: in one process, by turns."""

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import httpx2
import trio

from exai_trio.config import Config
from exai_trio.observability.events import RequestEnded
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.gateway import open_gateway

from .peer import run
from .processes import PATIENCE_S, NotMeasured
from .report import Goal, Row, median
from .simulator import simulator

_MODEL = "glm-4.5-flash"
_MESSAGE = "What was said before, and at some length, as people do when they talk of code. " * 6
_HEADERS = {"Authorization": "Bearer simulated", "Content-Type": "application/json"}
_TURNS, _TOKENS = 20, 100
_CALLS: Final = 10  # in one turn of one side

Ask = Callable[[], Awaitable[None]]


def chat(*, quick: bool) -> list[Row]:
    """The same question to the same simulator, answered at once and in drips."""
    with simulator() as (origin, log):
        at_once = run(_costs, origin, log, _question(""), 4 if quick else 40)
        in_drips = run(_costs, origin, log, _question("drip=0.001"), 1 if quick else 8)
    said = f"with {_TURNS} messages of history, {_TOKENS} tokens"
    return [
        _row(f"chat, our CPU per call {said} at once", at_once),
        _row(f"chat, our CPU per call {said} one by one", in_drips),
    ]


def _row(what: str, costs: tuple[list[float], list[float]]) -> Row:
    return Row(
        what=what,
        unit="ms",
        ours=median(costs[0]) * 1000,
        floor=median(costs[1]) * 1000,
        goal=Goal("at most", 2, of_floor=True),
    )


def _question(words: str) -> ChatRequest:
    history = [
        Message(role="assistant" if number % 2 else "user", text=f"{number}: {_MESSAGE}")
        for number in range(_TURNS)
    ]
    last = Message(role="user", text=f"Go on. [[simulate: tokens={_TOKENS} {words}]]")
    return ChatRequest(model=_MODEL, messages=(*history, last), temperature=0.5)


class _Deaf:
    """A listener that does not care."""

    def stage(self, stage: str, message: str) -> None: ...

    def chunk(self, text: str) -> None: ...

    def waited_for_provider(self, provider: str, seconds: float) -> None: ...

    def requested(self, request: RequestEnded) -> None: ...

    def flows(self, until: float) -> float:
        return until


async def _costs(
    origin: str, log: Path, question: ChatRequest, rounds: int
) -> tuple[list[float], list[float]]:
    """CPU seconds per call, for each round: ours, and those of the bare request."""
    async with _ours(origin, question) as ask:
        await ask()
        async with _bare(origin, await _body_in(log)) as ask_bare:
            await ask_bare()
            mine: list[float] = []
            theirs: list[float] = []
            for _ in range(rounds):
                mine.append(await _cost(ask))
                theirs.append(await _cost(ask_bare))
    return mine, theirs


async def _cost(ask: Ask) -> float:
    began = time.process_time()
    for _ in range(_CALLS):
        await ask()
    return (time.process_time() - began) / _CALLS


@asynccontextmanager
async def _ours(origin: str, question: ChatRequest) -> AsyncGenerator[Ask]:
    """The gateway as the daemon uses it."""
    numbers = iter(range(1_000_000_000))

    async def ask() -> None:
        request = attrs.evolve(question, idempotency_key=f"bench:{next(numbers)}")
        answer = await gateway.chat(choice, request, _Deaf())
        if answer.usage.output_tokens < _TOKENS:
            raise NotMeasured(f"the gateway's answer is short: {answer}")

    async with open_gateway(Config(), simulator_url=origin) as gateway:
        await gateway.warm_up()
        choice = gateway.choose(_MODEL)
        yield ask


@asynccontextmanager
async def _bare(origin: str, body: bytes) -> AsyncGenerator[Ask]:
    """httpx2 and json, nothing else."""
    url = f"{origin}/glm/api/paas/v4/chat/completions"
    async with httpx2.AsyncClient(timeout=30) as client:
        yield partial(_read_stream, client, url, body)


async def _read_stream(client: httpx2.AsyncClient, url: str, body: bytes) -> None:
    async with client.stream("POST", url, content=body, headers=_HEADERS) as response:
        events = [
            json.loads(line[6:])
            async for line in response.aiter_lines()
            if line.startswith("data: {")
        ]
    if len(events) < _TOKENS:
        raise NotMeasured(f"the bare request's answer is short: {response.status_code} {events}")


async def _body_in(log: Path) -> bytes:
    """The body of our last chat, without what makes it one of its kind. The simulator writes it when all is sent."""
    with trio.fail_after(PATIENCE_S):
        while True:
            text = await trio.Path(log).read_text(encoding="utf-8")
            chats = [line for line in text.splitlines() if "chat/completions" in line]
            if chats:
                body = json.loads(chats[-1])["body"]
                body.pop("request_id", None)
                return json.dumps(body).encode()
            await trio.sleep(0.05)
