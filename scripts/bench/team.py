"""What daemons that share a PostgreSQL cost: a call kept, many calls a second, outcomes that end elsewhere, permits that are shared."""

import json
import secrets
import statistics
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psycopg
import trio
from chaos.caller import Caller

from exai_trio.storage.journal import KeptCall
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.postgres.journal import PostgresJournal, open_journal

from .pairs import IN_FLIGHT, ROOM, Daemon, our_daemon
from .processes import NotHere, NotMeasured, child, environment, home, ours
from .report import Goal, Row, median
from .simulator import simulator

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "storage"))

_FRAME: Final = "x" * 800
_TURNS: Final = 7
_OWN_S: Final = 0.3  # a call that ends elsewhere
_DAEMONS, _LIMIT = 4, 4
_PATIENCE_S: Final = 120.0
_NOTIFYING: Final = "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace and prosrc like '%pg_notify(%'"


@contextmanager
def _database() -> Generator[str]:
    """The URL of a PostgreSQL that waits for its disk, migrated. Raises NotHere."""
    from hosted.postgres import CannotStart, Postgres  # tests' own

    try:
        postgres = Postgres(durable=True)
    except CannotStart as fault:
        raise NotHere(str(fault)) from fault
    try:
        url = postgres.uri()
        with home() as where:
            env = environment(where, STORAGE_BACKEND="postgres", DATABASE_URL=url)
            with child(ours("storage", "migrate"), env, where) as migrating:
                if migrating.wait():
                    raise NotMeasured("exai storage migrate failed")
        yield url
    finally:
        postgres.close()


def _shared(url: str, name: str) -> dict[str, object]:
    return {"STORAGE_BACKEND": "postgres", "DATABASE_URL": url, "EXAI_DAEMON_NAME": name}


def journal(*, quick: bool) -> Iterator[Row]:
    """One call kept after the other, beside one bare INSERT and COMMIT of psycopg on the same server, by turns."""
    with _database() as url:
        pairs = trio.run(_kept_alone, url, 40 if quick else 400)
    mine, bare = zip(*pairs, strict=True)
    yield Row(
        what="PostgreSQL: a call kept alone, beside INSERT and COMMIT, p50",
        unit="ms",
        ours=median(mine) * 1000,
        floor=median(bare) * 1000,
        goal=Goal("at most", 2.5, of_floor=True),
    )


async def _kept_alone(url: str, count: int) -> list[tuple[float, float]]:
    async with (
        open_database(url, time.time) as database,
        open_journal(database, "bench") as keeping,
    ):
        await _keep(keeping, 20)
        return [
            (await _keep(keeping, count), await trio.to_thread.run_sync(_bare, url, count))
            for _ in range(_TURNS)
        ]


async def _keep(keeping: PostgresJournal, count: int) -> float:
    session, took = secrets.token_hex(8), []
    for number in range(count):
        began = time.perf_counter()
        await keeping.accept(_call(number, session))
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _call(number: int, session: str) -> KeptCall:
    return KeptCall(
        session=session, request=str(number), principal="owner", resumable=True, seq=number, frame=_FRAME, roots=(), timeout=60.0, at=0.0
    )  # fmt: skip


def _bare(url: str, count: int) -> float:
    took = []
    with psycopg.connect(url) as connection:
        connection.execute("create table if not exists bench_floor (id text, frame text)")
        connection.commit()
        for number in range(count):
            began = time.perf_counter()
            connection.execute("insert into bench_floor values (%s, %s)", (str(number), _FRAME))
            connection.commit()
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def throughput(*, quick: bool) -> Iterator[Row]:
    """Journalled echoes of one client, many in flight, with PostgreSQL and with SQLite by turns."""
    calls = 500 if quick else 4000
    with (
        _database() as url,
        our_daemon(**ROOM, **_shared(url, "one")) as mine,
        our_daemon(**ROOM) as theirs,
    ):
        rates = [(_rate(mine, calls), _rate(theirs, calls)) for _ in range(2 if quick else 5)]
    shared, alone = zip(*rates, strict=True)
    yield Row(
        what=f"PostgreSQL: journalled calls, {IN_FLIGHT} in flight, beside SQLite's",
        unit="1/s",
        ours=median(shared),
        floor=median(alone),
        goal=Goal("at least", 0.5, of_floor=True),
    )


def _rate(daemon: Daemon, calls: int) -> float:
    with daemon.connected_editor("first") as editor:
        began = time.perf_counter()
        editor.flood(calls, IN_FLIGHT, "hello")
        return calls / (time.perf_counter() - began)


def elsewhere(*, quick: bool) -> Iterator[Row]:
    """A call whose client has moved to another daemon, beside one whose client stayed; then the same without notifications."""
    rounds = 5 if quick else 40
    with _database() as url, ExitStack() as stack:
        ports = [stack.enter_context(our_daemon(ENABLED_TOOLS="test_echo", **_shared(url, name))).port for name in ("one", "two")]  # fmt: skip
        told = _beyond(ports, rounds)
        _silence(url)
        untold = _beyond(ports, rounds)
    for words, took, bound in (("", told, 20), (", without notifications", untold, 2500)):
        yield Row(
            what=f"an outcome at one daemon to its frame at another{words}, p50",
            unit="ms",
            ours=took * 1000,
            goal=Goal("at most", bound),
        )


def _silence(url: str) -> None:
    """No statement notifies any more."""
    with psycopg.connect(url, autocommit=True) as connection:
        for (source,) in connection.execute(_NOTIFYING).fetchall():
            connection.execute(source.replace("pg_notify(", "concat("))


def _beyond(ports: Sequence[int], rounds: int) -> float:
    """By how much it takes longer, in seconds."""
    stayed, moved = trio.run(_both_ways, ports, rounds)
    return max(0.0, median(moved) - median(stayed))


async def _both_ways(ports: Sequence[int], rounds: int) -> tuple[list[float], list[float]]:
    stayed = [await _time_call(ports[0], ports[0]) for _ in range(rounds)]
    return stayed, [await _time_call(*ports) for _ in range(rounds)]


async def _time_call(first: int, then: int) -> float:
    """Seconds from the acceptance to the outcome, which is heard at another connection."""
    caller = Caller()
    async with caller.connected(first):
        await caller.call("r1", "test_echo", prompt="x", delay_ms=int(_OWN_S * 1000))
        while not caller.accepted:
            await caller.wait_frame()
        began = time.perf_counter()
    async with caller.connected(then):
        if await caller.outcome("r1") is None:
            raise NotMeasured("a call whose client has moved has no outcome")
        return time.perf_counter() - began


def permits(*, quick: bool) -> Iterator[Row]:
    """Requests at the provider at once, of four daemons whose limit is four in all."""
    calls = 100 if quick else 1000
    with _database() as url, ExitStack() as stack:
        origin, log = stack.enter_context(simulator())
        settings = {"GLM_API_KEY": "bench", "GLM_API_URL": f"{origin}/glm/api/paas/v4", "EXAI_WS_GLM_MAX_INFLIGHT": _LIMIT, **ROOM}  # fmt: skip
        ports = [
            stack.enter_context(our_daemon(**settings, **_shared(url, f"d{number}"))).port
            for number in range(_DAEMONS)
        ]
        trio.run(_ask_all, ports, calls)
        most, share = overlap(_spans(log)[_DAEMONS:], _LIMIT)
    what = f"requests at once of {_DAEMONS} daemons, limit {_LIMIT}, {calls:,} calls of 1 s"
    yield Row(what=f"{what}: most", unit="", ours=most, goal=Goal("at most", _LIMIT))
    yield Row(
        what=f"{what}: of the time all {_LIMIT}",
        unit="%",
        ours=share * 100,
        goal=Goal("at least", 95),
    )


def _spans(log: Path) -> list[tuple[float, float]]:
    """When each question to a model began and ended, in order."""
    told = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    chats = [one for one in told if one["path"].endswith("/chat/completions")]
    return sorted((one["at"], one["ended_at"]) for one in chats)


async def _ask_all(ports: Sequence[int], calls: int) -> None:
    for each in (1, calls // len(ports)):  # the first has the daemons load what they need
        async with trio.open_nursery() as asking:
            for port in ports:
                asking.start_soon(_ask_many, port, each)


async def _ask_many(port: int, calls: int) -> None:
    """So many of them wait that there is always one for a permit."""
    caller, places = Caller(), trio.CapacityLimiter(IN_FLIGHT // 2)

    async def ask(number: int) -> None:
        prompt = f"[[simulate: delay=1]] {number}"
        async with places:
            await caller.call(f"r{number}", "chat", prompt=prompt, use_websearch=False)
            found = await caller.outcome(f"r{number}", within=_PATIENCE_S)
        if not (found and found["ok"]):
            raise NotMeasured(f"a call failed: {found}")

    async with caller.connected(port), trio.open_nursery() as asking:
        for number in range(calls):
            asking.start_soon(ask, number)


def overlap(spans: Iterable[tuple[float, float]], limit: int) -> tuple[int, float]:
    """How many at most at once; the share of the time, while calls wait, in which there are as many as the limit."""
    turns = sorted([(at, 1) for at, _ in spans] + [(end, -1) for _, end in spans])
    most = count = 0
    full = 0.0
    before = turns[0][0]
    for at, change in turns:
        full += at - before if count >= limit else 0.0
        before, count = at, count + change
        most = max(most, count)
    return most, full / (turns[-1][0] - turns[0][0])
