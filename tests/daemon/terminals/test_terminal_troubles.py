"""What is alarming about terminals is among the daemon's troubles as long as it lasts."""

import pytest
import trio

from exai_trio.daemon.terminals.terminals import Terminals
from exai_trio.observability.meters.families import FAMILIES


@pytest.fixture
def terminals():
    return Terminals(config=None, keepers=None, now=lambda: 1e9, audit=None)


def attach(counters, times):
    for _ in range(times):
        counters.note_attach("c", 0.1, trio.current_time(), resumes=True)


def start(counters, times, *, failed):
    for _ in range(times):
        counters.note_creation(trio.current_time(), failed=failed)


async def test_a_client_that_attaches_again_and_again_is_a_trouble_for_a_minute(
    house, terminals, autojump_clock, caplog
):
    async with house() as daemon:
        report = daemon.report
        object.__setattr__(report, "terminals", terminals)
        attach(terminals.counters, 10)
        before = report.health()["troubles"]
        attach(terminals.counters, 1)
        during = report.health_file()["status"], report.health()["troubles"]
        await trio.sleep(61)
        after = report.health_file()["status"], report.health()["troubles"]

    assert before == []
    assert during == ("degraded", ["terminals: a client attached 11 times within a minute"])
    assert after == ("healthy", [])
    assert 1 == len([r for r in caplog.records if r.message == "trouble"])


async def test_more_than_one_session_of_a_hundred_that_does_not_start_is_a_trouble(
    terminals, autojump_clock
):
    """Of at least twenty within an hour."""
    start(terminals.counters, 18, failed=False)
    start(terminals.counters, 1, failed=True)
    assert terminals.trouble() is None
    start(terminals.counters, 1, failed=False)
    assert terminals.trouble() == "1 of 20 sessions of the last hour could not be started"
    start(terminals.counters, 80, failed=False)
    assert terminals.trouble() is None
    start(terminals.counters, 1, failed=True)
    assert terminals.trouble() is not None
    await trio.sleep(3600)
    assert terminals.trouble() is None
    assert (terminals.told()["created"], terminals.told()["failed"]) == (99, 2)


async def test_more_connections_than_anybody_needs_are_a_trouble(terminals, autojump_clock):
    terminals.counters.connections = 1000
    assert terminals.trouble() is None
    terminals.counters.connections += 1
    assert terminals.trouble() == "there are 1001 connections"


async def test_the_meters_have_the_figures_of_terminals(house):
    """Under their own labels; none where there are no terminals."""
    names = [family.name for family in FAMILIES if family.name.startswith("terminal_")]
    async with house(terminals="root") as daemon:
        counters = daemon.parts.terminals.terminals.counters
        counters.bytes_in, counters.bytes_out, counters.attach_s = 2, 3, 0.5
        counters.errors["AUTH_ERROR"] += 4
        counters.note_creation(trio.current_time(), failed=True)
        attach(counters, 2)
        said = daemon.report.meters.snapshot(*names)
    async with house() as daemon:
        without = daemon.report.meters.snapshot(*names)

    assert {"system": 0, "claude": 0} == said.by("terminal_sessions", "type")
    assert {"ok": 0, "failed": 1} == said.by("terminal_creations_total", "result")
    assert {"in": 2, "out": 3} == said.by("terminal_bytes_total", "direction")
    assert {"AUTH_ERROR": 4} == said.by("terminal_errors_total", "code")
    assert (2, 2) == (
        said.total("terminal_attaches_total"),
        said.total("terminal_reconnects_total"),
    )
    assert 0.75 > said.total("terminal_attach_seconds_total") > 0.65
    assert without.total("terminal_attaches_total") is None
