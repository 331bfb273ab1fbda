#!/usr/bin/env python3
"""What keeping a call in PostgreSQL costs, beside one bare INSERT and COMMIT of psycopg on the same server, by turns.

A server must be given: `scripts/bench_postgres.py --url postgresql://…`, migrated by `exai storage migrate`.
"""

import argparse
import secrets
import statistics
import time
from functools import partial

import psycopg
import trio

from exai_trio.storage.journal import KeptCall
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.postgres.journal import PostgresJournal, open_journal

FRAME = "x" * 800
TURNS = 7


def kept(number: int, session: str) -> KeptCall:
    return KeptCall(
        session=session,
        request=str(number),
        principal="owner",
        resumable=True,
        seq=number,
        frame=FRAME,
        roots=(),
        timeout=60.0,
        at=0.0,
    )


async def ours(journal: PostgresJournal, count: int) -> float:
    """The median of one call kept after the other, in seconds."""
    session, took = secrets.token_hex(8), []
    for number in range(count):
        began = time.perf_counter()
        await journal.accept(kept(number, session))
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def bare(url: str, count: int) -> float:
    took = []
    with psycopg.connect(url) as connection:
        connection.execute(
            "create table if not exists bench_floor (id text primary key, frame text)"
        )
        connection.execute("truncate bench_floor")
        connection.commit()
        for number in range(count):
            began = time.perf_counter()
            connection.execute("insert into bench_floor values (%s, %s)", (str(number), FRAME))
            connection.commit()
            took.append(time.perf_counter() - began)
    return statistics.median(took)


async def at_once(journal: PostgresJournal, tasks: int, count: int) -> float:
    """Calls kept a second, so many at once."""
    session = secrets.token_hex(8)

    async def live(task: int) -> None:
        for number in range(count):
            await journal.accept(kept(task * count + number, session))

    began = time.perf_counter()
    async with trio.open_nursery() as living:
        for task in range(tasks):
            living.start_soon(live, task)
    return tasks * count / (time.perf_counter() - began)


async def run(url: str, count: int) -> None:
    async with (
        open_database(url, time.time) as database,
        open_journal(database, "bench") as journal,
    ):
        await ours(journal, 20)
        pairs = []
        for _ in range(TURNS):
            floor = await trio.to_thread.run_sync(bare, url, count)
            pairs.append((await ours(journal, count), floor))
        alone, floors = zip(*pairs, strict=True)
        ratio = statistics.median(one / other for one, other in pairs)
        print(f"a call kept alone   {statistics.median(alone) * 1e3:.2f} ms p50, floor {statistics.median(floors) * 1e3:.2f} ms: {ratio:.2f} x (goal 2.5)")  # fmt: skip
        print(f"64 at once          {await at_once(journal, 64, count // 4):,.0f} calls a second")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--url", required=True)
    words.add_argument("--count", type=int, default=400)
    asked = words.parse_args()
    trio.run(partial(run, asked.url, asked.count))


main()
