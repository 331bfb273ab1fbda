"""Incidents in the store: one row a fault whoever counts it, its life, its limits; and how they get there."""

import json
import logging
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import attrs
import pytest
from database_in_memory import MemoryDatabase

from exai_trio.errors import StorageError
from exai_trio.incidents.keeping import IncidentKeeping
from exai_trio.incidents.late_capture import late_capture
from exai_trio.incidents.spool import Spool
from exai_trio.storage.sqlite.watching.incident_rows import SqliteIncidents, version_order
from exai_trio.storage.sqlite.watching.investigation_rows import SqliteInvestigations
from exai_trio.storage.watching.incident_records import Occurrence, Outcome

SEEN = Occurrence(
    error_hash="1-abcdef0123456789abcdef01",
    kind="bug",
    severity="high",
    error_type="KeyError",
    message="…",
    version="0.9.0",
    context={"trace": "ä"},
    first_at=100.0,
    last_at=100.0,
)
LATER = attrs.evolve(SEEN, first_at=200.0, last_at=200.0)


def other(number, at=300.0):
    return attrs.evolve(SEEN, error_hash=f"1-{number:012d}", first_at=at, last_at=at)


@pytest.fixture
def database():
    return MemoryDatabase()


@pytest.fixture
def store(database):
    return SqliteIncidents(database)


@pytest.fixture
def claims(database):
    return SqliteInvestigations(database)


@pytest.mark.real
def test_two_processes_on_one_database_count_one_row_exactly_and_one_of_them_explains_it(tmp_path):
    path, times = tmp_path / "exai.db", 25
    command = [sys.executable, Path(__file__).with_name("counting_process.py"), path, str(times)]
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(2)
        ]
        for process in both:
            stack.callback(process.kill)
            assert "ready\n" == process.stdout.readline()
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [json.loads(process.communicate()[0]) for process in both]
    with closing(sqlite3.connect(path)) as file:
        rows = file.execute(
            "SELECT occurrence_count, attempts FROM error_investigations"
        ).fetchall()

    assert [(2 * times * 3, 1)] == rows
    assert [1, 1] == [sum(each[name] for each in told) for name in ("new", "claimed")]


async def test_a_resolved_incident_comes_back_as_a_regression(store):
    await store.note([SEEN])
    assert await store.resolve(SEEN.id, notes="mended", by="owner", version="", now=150.0)
    assert not await store.resolve(SEEN.id, notes="again", by="owner", version="", now=160.0)
    noted = await store.note([LATER])
    (incident,) = await store.newest(10)

    assert ["reopened"] == [each.change for each in noted]
    assert (False, 1, 2, "mended") == (
        incident.resolved, incident.reopened, incident.occurrence_count, incident.resolution_notes,
    )  # fmt: skip


async def test_what_is_to_be_gone_in_a_version_comes_back_from_that_version_on(store):
    """An older daemon that still has the fault is counted, and no regression."""
    await store.note([SEEN])
    await store.resolve(SEEN.id, notes="", by="owner", version="0.10.0", now=150.0)

    assert ["counted"] == [n.change for n in await store.note([LATER])]
    newer = attrs.evolve(LATER, version="0.10.1")
    assert ["reopened"] == [n.change for n in await store.note([newer])]
    assert version_order("0.9.12") < version_order("0.10") < version_order("0.10.1")


async def test_of_too_many_open_ones_the_oldest_quiet_one_goes():
    store = SqliteIncidents(MemoryDatabase(), 3)
    await store.note([other(number, 100.0 + number) for number in range(4)])
    await store.note([other(0, 500.0)])

    assert [0, 3, 2] == [int(each.id) for each in await store.newest(9)]


async def test_only_one_investigates_and_a_killed_one_gives_way_after_its_time(store, claims):
    """Three tries; then it has failed, and waits for nobody."""
    await store.note([SEEN])
    first = await claims.claim(1000.0, 30.0, unasked=True, tries=3)
    assert first is not None
    assert (first.state, first.attempts) == ("waiting", 1)
    assert None is await claims.claim(1001.0, 30.0, unasked=True, tries=3)
    second = await claims.claim(1031.0, 30.0, unasked=True, tries=3)
    assert ("running", 2) == (second.state, second.attempts)
    assert await claims.claim(1062.0, 30.0, unasked=True, tries=3)
    assert None is await claims.claim(1093.0, 30.0, unasked=True, tries=3)
    (incident,) = await store.newest(1)

    assert "failed" == incident.state
    assert 3 == (await claims.spent_since(0.0)).requests


async def test_unless_asked_for_nothing_is_investigated(store, claims):
    await store.note([SEEN])
    assert None is await claims.claim(1000.0, 30.0, unasked=False, tries=3)
    assert await store.request(SEEN.id)
    assert await claims.claim(1000.0, 30.0, unasked=False, tries=3)
    outcome = Outcome(state="done", result={"root_cause": "é"}, model="m", tokens=7, cost=0.5)
    await claims.finish(SEEN.id, outcome, 1010.0)
    (incident,) = await store.get(SEEN.id[:5])

    assert ("done", {"root_cause": "é"}, 7, 0.5, False) == (
        incident.state, incident.result, incident.tokens, incident.cost, incident.requested,
    )  # fmt: skip
    assert 7 == (await claims.spent_since(0.0)).tokens


@attrs.define
class Refusing:
    store: SqliteIncidents
    refuses: bool = True

    async def note(self, occurrences):
        if self.refuses:
            raise StorageError("The disk is full.")
        return await self.store.note(occurrences)

    async def counts(self):
        return await self.store.counts()


async def test_what_a_disk_refuses_waits_and_is_counted_once(capture, config, store):
    refusing = Refusing(store)
    heard = []
    keeping = IncidentKeeping(capture, refusing, Spool.of(config), heard.append)
    log = logging.getLogger("exai.calls")
    log.error("call not journalled")
    with pytest.raises(StorageError):
        await keeping.flush_incidents()
    log.error("call not journalled")
    refusing.refuses = False
    await keeping.flush_incidents()
    await keeping.flush_incidents()

    assert [2] == [each.occurrence_count for each in await store.newest(9)]
    assert ([("world", "new", 2)], 1, 1) == (
        [(each.kind, each.news, each.count) for each in heard], keeping.fresh, keeping.open_now,
    )  # fmt: skip


async def test_what_waits_when_a_daemon_dies_is_its_successors(config, capture, store):
    """So is what a shim could not keep."""
    with capture.keeping():
        logging.getLogger("exai.process").error("unexpected fault", exc_info=KeyError("a"))
    with late_capture(config, "shim"):
        logging.getLogger("exai.process").error("unexpected fault", exc_info=KeyError("b"))
    keeping = IncidentKeeping(capture, store, Spool.of(config))
    await keeping.take_spool()
    await keeping.take_spool()
    (incident,) = await store.newest(9)

    assert 3 == incident.occurrence_count  # the second was caught by both


async def test_half_a_character_in_a_fault_is_kept_from_no_store(
    config, capture, store, monkeypatch
):
    """Neither caught here nor spooled, with NUL and marks that turn the direction: it is an incident as others are."""
    monkeypatch.setattr(logging.getLogger("exai"), "propagate", False)  # pytest cannot report it
    keeping = IncidentKeeping(capture, store, Spool.of(config))
    with pytest.raises(LookupError) as caught:
        raise LookupError("no room for " + "\ud800\u202e\x00")
    logging.getLogger("exai.calls").error("call crashed", exc_info=caught.value)
    await keeping.flush_incidents()
    Spool.of(config).add(attrs.evolve(SEEN, message="\udcff", calls=("\ud800",)))
    await keeping.take_spool()

    assert {"no room for …", "?"} == {each.message for each in await store.newest(9)}
