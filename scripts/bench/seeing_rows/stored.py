"""What is kept of 200,000 calls: how soon a page of them is read, and what a daemon weighs after as many."""

import random
import time
from collections.abc import Iterator
from typing import Final

import trio

from exai_trio.observability.events import CallEnded, Span
from exai_trio.storage.call_pages import CallFilter
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.storage.sqlite.store import open_sqlite

from ..pairs import our_daemon
from ..processes import free_port, home, settled_weight
from ..report import Goal, Row, median
from .calls import flood
from .watched import SETTINGS

_STAGES: Final = ("journal", "permit", "connecting", "first chunk", "thinking", "streaming", "outcome journalled", "delivered")  # fmt: skip
_SPANS: Final = tuple(Span(name=name, began_ms=n, ended_ms=n + 1.0) for n, name in enumerate(_STAGES))  # fmt: skip
_WORST: Final = (
    CallFilter(tool="none"),
    CallFilter(tool="tool3", model="model4", code="TIMEOUT"),
    CallFilter(failed=True, session="win3", least_ms=9_000.0),
    CallFilter(since=3e9),
)
_A_BATCH: Final = 2_000
MIB: Final = 2**20


def pages(*, quick: bool) -> Iterator[Row]:
    """The newest 200, and filters that look at every row; in the thread of the database, of which only the processor's time counts."""
    count = 20_000 if quick else 200_000
    newest, worst = trio.run(_read, count, 5 if quick else 15)
    yield Row(
        what=f"newest 200 of {count:,} calls", unit="ms", ours=newest, goal=Goal("at most", 20)
    )
    yield Row(what="  the worst filter, in a thread", unit="ms", ours=worst, goal=Goal("at most", 150))  # fmt: skip


async def _read(count: int, rounds: int) -> tuple[float, float]:
    with home() as where:
        async with open_sqlite(where / "exai.db") as store:
            calls = SqliteCalls(store)
            for begin in range(0, count, _A_BATCH):
                await calls.add([_call(begin + number) for number in range(_A_BATCH)])
            newest = await _looked_ms(calls, CallFilter(), rounds)
            return newest, max([await _looked_ms(calls, each, rounds) for each in _WORST])


async def _looked_ms(calls: SqliteCalls, wanted: CallFilter, rounds: int) -> float:
    """By the processor, of all threads: nothing else is at work here."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        await calls.page(wanted, None, 200)
        took.append((time.process_time() - began) * 1000)
    return median(took)


def _call(number: int) -> CallEnded:
    chance = random.Random(number)  # noqa: S311 - the same each time
    return CallEnded(
        id=f"{number:032x}", correlation_id=f"{number:032x}", session=f"win{chance.randrange(50)}", tool=f"tool{chance.randrange(31)}",
        principal="owner", project=f"/home/ann/projects/{chance.randrange(20)}", provider="glm", model=f"model{chance.randrange(20)}",
        code=chance.choice(("", "", "", "TIMEOUT", "CANCELLED")), category="", attempt=1, started_at=1e9 + number,
        duration_ms=chance.expovariate(1 / 2000), permit_wait_ms=0.5, provider_wait_ms=1.0, with_provider_ms=9.0, first_chunk_ms=4.0,
        requests=1, input_tokens=7, cached_tokens=2, output_tokens=3, reasoning_tokens=1, cost=0.5, currency="USD", spans=_SPANS,
    )  # fmt: skip


def memory(*, quick: bool) -> Iterator[Row]:
    """A daemon with its dashboard after so many calls, beside itself after a quarter of them."""
    quarter = 2_500 if quick else 50_000
    sizes = []
    with our_daemon(**SETTINGS, MONITORING_PORT=free_port()) as daemon:
        for _ in range(4):
            flood(daemon.port, quarter)
            sizes.append(settled_weight(daemon.process.pid).resident / MIB)
    yield Row(what=f"memory after {4 * quarter:,} calls, more than after {quarter:,}", unit="MiB", ours=sizes[-1] - sizes[0], goal=Goal("at most", 5))  # fmt: skip
    yield Row(what="  the daemon then", unit="MiB", ours=sizes[-1])
