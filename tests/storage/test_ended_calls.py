"""The contract of EndedCalls, held by both; and what the SQLite table promises beside it."""

import sqlite3
from contextlib import closing

import pytest
from memory_and_sqlite import either
from msgspec.structs import replace

from exai_trio.observability.events import CallEnded
from exai_trio.storage.call_pages import CallFilter
from exai_trio.storage.ended_calls import ForgottenCalls
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.storage.sqlite.store import open_sqlite

CALL = CallEnded(
    id="call_1",
    correlation_id="c1",
    session="s1",
    tool="chat",
    principal="owner",
    project="/ä",
    provider="glm",
    model="glm-4.6",
    code="",
    category="",
    attempt=1,
    started_at=7_300.5,
    duration_ms=12.5,
    permit_wait_ms=0.0,
    provider_wait_ms=0.25,
    with_provider_ms=9.0,
    first_chunk_ms=4.0,
    requests=1,
    input_tokens=10,
    cached_tokens=4,
    output_tokens=3,
    reasoning_tokens=0,
    cost=0.125,
    currency="USD",
)
FAILED = replace(
    CALL, id="call_2", code="TIMEOUT", category="timeout", model="", started_at=9_000.0,
    first_chunk_ms=None, input_tokens=None, cached_tokens=None, output_tokens=None,
    reasoning_tokens=None, cost=None, currency="",
)  # fmt: skip
MOST = 3


@pytest.fixture(params=either(lambda: ForgottenCalls(MOST), lambda store: SqliteCalls(store, MOST)))
async def kept(request, tmp_path):
    async with request.param(tmp_path / "exai.db") as opened:
        yield opened


async def test_what_was_not_measured_stays_unknown(kept):
    """A call comes back as it was; None is never 0."""
    await kept.add([CALL, FAILED])

    assert (CALL, FAILED) == await kept.since(0)
    assert (FAILED,) == await kept.since(8_000)


async def test_the_same_id_may_come_again(kept):
    """A client may use its ids again once a call is forgotten: both are counted."""
    await kept.add([CALL])
    await kept.add([CALL])

    assert (CALL, CALL) == await kept.since(0)


async def test_old_calls_go_and_no_others(kept):
    await kept.add([CALL, FAILED])

    assert 1 == await kept.sweep(8_000)
    assert (FAILED,) == await kept.since(0)


async def test_only_the_newest_stay(kept):
    """By a clock that is not trusted nothing is old; what is too much goes all the same, in the order in which it came."""
    calls = [replace(CALL, id=f"call_{number}") for number in range(5)]
    await kept.add(calls)

    assert 2 == await kept.sweep(None)
    assert tuple(calls[2:]) == await kept.since(0)
    assert 0 == await kept.sweep(None)


async def test_each_row_names_its_hour(tmp_path):
    """So that queries need no arithmetic that databases do differently."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path) as store:
        await SqliteCalls(store, MOST).add([CALL, FAILED])
    with closing(sqlite3.connect(path)) as reader:
        assert [(7_200,), (7_200,)] == reader.execute("SELECT hour FROM calls").fetchall()


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, ["call_2", "call_1"]),
        ({"failed": True}, ["call_2"]),
        ({"failed": False}, ["call_1"]),
        ({"code": "TIMEOUT", "tool": "chat"}, ["call_2"]),
        ({"model": "glm-4.6"}, ["call_1"]),
        ({"until": 8_000.0}, ["call_1"]),
        ({"since": 8_000.0, "least_ms": 13.0}, []),
        ({"principal": "owner", "project": "/ä", "most_ms": 12.5}, ["call_2", "call_1"]),
        ({"tool": "'; DROP TABLE calls; --"}, []),
    ],
)
async def test_a_page_has_what_is_wanted_the_newest_first(kept, wanted, ids):
    await kept.add([CALL, FAILED])

    page = await kept.page(CallFilter(**wanted), None, 10)

    assert ids == [each.call.id for each in page]


async def test_pages_follow_each_other_by_number(kept):
    """The number of the last row begins the next page, also when older calls have gone meanwhile."""
    calls = [replace(CALL, id=f"call_{i}") for i in range(MOST + 2)]
    await kept.add(calls)
    first = await kept.page(CallFilter(), None, 2)
    await kept.sweep(None)

    second = await kept.page(CallFilter(), first[-1].number, 2)

    assert ["call_4", "call_3", "call_2"] == [each.call.id for each in (*first, *second)]
    assert first[1] == await kept.find("call_3")
    assert await kept.find("call_0") is None
