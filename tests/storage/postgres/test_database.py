"""A real PostgreSQL asked by trio: cancelled, stopped, restarted, and given what it cannot hold."""

import pytest
import trio
from kept_calls import call, outcome

from exai_trio.storage.journal_events import Accepted, Finished
from exai_trio.storage.postgres.database import CONNECTIONS, open_database
from exai_trio.storage.postgres.journal import open_journal
from exai_trio.storage.postgres.trio_connection import DatabaseAway, DataRefused

pytestmark = pytest.mark.real


@pytest.fixture
async def database(stage):
    async with open_database(stage.url, lambda: 0.0) as opened:
        yield opened


async def test_a_cancelled_statement_costs_its_connection_alone(database, stage):
    """Whoever asks next gets an answer at once, and of the right question."""
    await database.ask("select 1")
    with trio.move_on_after(0.05) as given_up:
        await database.ask("select pg_sleep(30)")
    rows = await database.ask("select 'next'")

    assert given_up.cancelled_caught
    assert [("next",)] == rows


async def test_many_at_once_share_a_few_connections(database, stage):
    """As many as there are places, and no more."""
    seen = []

    async def ask():
        seen.extend(await database.ask("select pg_backend_pid(), pg_sleep(0.01)"))

    async with trio.open_nursery() as asking:
        for _ in range(5 * CONNECTIONS):
            asking.start_soon(ask)

    assert 5 * CONNECTIONS == len(seen)
    assert len({pid for pid, _ in seen}) <= CONNECTIONS


async def test_what_it_cannot_hold_is_refused_and_nothing_else(database):
    """The code is told, what was given is not."""
    with pytest.raises(DataRefused, match=r"22\w{3}") as refused:
        await database.ask("select %s::jsonb", '{"secret": "\\u0000"}')

    assert "secret" not in str(refused.value)
    assert [(1,)] == await database.ask("select 1")


async def test_a_server_that_stops_is_told_and_found_again(database, stage):
    """Whoever asks while it is away is told at once; after its return the old connections are not asked."""
    await database.ask("select 1")
    stage.postgres.stop()
    try:
        with pytest.raises(DatabaseAway):
            await database.ask("select 2")
        with (
            trio.fail_after(3),
            pytest.raises(DatabaseAway),
        ):  # long before a connection is given up
            await database.ask("select 2")
    finally:
        stage.postgres.start_again()
    with trio.fail_after(30):
        while True:
            try:
                rows = await database.ask("select 3")
                break
            except DatabaseAway:
                await trio.sleep(0.05)

    assert [(3,)] == rows
    assert database.fault is None


async def test_one_bad_event_among_many_is_refused_alone(database):
    """The others are written, in their order."""
    async with open_journal(database, "home") as journal:
        faults = []

        async def note(event):
            try:
                await journal.note(event)
            except DataRefused as fault:
                faults.append(fault)

        async with trio.open_nursery() as noting:
            for number in range(20):
                noting.start_soon(note, Accepted(call(f"{number}")))
            noting.start_soon(note, Accepted(call("bad\0")))
        kept = await journal.session("s")

    assert 1 == len(faults)
    assert sorted(f"{number}" for number in range(20)) == sorted(one.request for one in kept.calls)


async def test_what_waits_is_written_in_one_statement(database, stage):
    """A thousand calls and their outcomes take a few commits."""
    async with open_journal(database, "home") as journal:

        async def live(number):
            await journal.note(Accepted(call(f"{number}")))
            await journal.note(Finished("s", f"{number}", outcome()))

        async with trio.open_nursery() as living:
            for number in range(1000):
                living.start_soon(live, number)
    notes = stage.execute("select count(*) from journal_calls where outcome_frame is not null")
    written = stage.execute("select count(distinct xmin::text) from journal_calls")

    assert [(1000,)] == notes
    assert written[0][0] < 50


async def test_a_database_without_an_encoding_gives_texts(stage):
    """As initdb makes it under the locale C."""
    stage.execute("create database bare encoding 'SQL_ASCII' template template0")
    try:
        async with open_database(stage.postgres.uri("bare"), lambda: 0.0) as opened:
            rows = await opened.ask("select 'held'::text")
    finally:
        stage.execute("drop database bare with (force)")

    assert [("held",)] == rows
