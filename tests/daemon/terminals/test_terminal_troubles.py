"""What is alarming about terminals is among the daemon's troubles as long as it lasts."""

import pytest
import trio

from exai_trio.daemon.terminals.terminals import Terminals


@pytest.fixture
def terminals():
    return Terminals(config=None, keepers=None, now=lambda: 1e9, audit=None)


def attach(counters, times):
    for _ in range(times):
        counters.note_attach("c", 0.1, trio.current_time(), resumes=True)


def start(counters, times, *, failed):
    for _ in range(times):
        counters.note_creation(failed=failed)


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


async def test_programs_that_do_not_start_are_a_trouble_until_some_do(terminals, autojump_clock):
    start(terminals.counters, 10, failed=True)
    assert terminals.trouble() is None
    start(terminals.counters, 1, failed=True)
    assert terminals.trouble() == "11 of the last 20 sessions could not be started"
    start(terminals.counters, 10, failed=False)
    assert terminals.trouble() is None
    assert (terminals.told()["created"], terminals.told()["failed"]) == (10, 11)


async def test_more_connections_than_anybody_needs_are_a_trouble(terminals, autojump_clock):
    terminals.counters.connections = 1000
    assert terminals.trouble() is None
    terminals.counters.connections += 1
    assert terminals.trouble() == "there are 1001 connections"
