"""What alerts and meters read of terminals."""

import trio

from exai_trio.daemon.terminals.terminal_counters import TerminalCounters
from exai_trio.observability.meters.families import FAMILIES


def attach(counters, times, client="c"):
    for _ in range(times):
        counters.note_attach(client, 0.1, trio.current_time(), resumes=True)


async def test_attaches_of_the_last_minute_are_counted_by_client(autojump_clock):
    counters = TerminalCounters()
    attach(counters, 11)
    attach(counters, 1, "d")
    assert counters.attaches_of_a_minute(trio.current_time()) == {"c": 11, "d": 1}
    await trio.sleep(61)
    assert counters.attaches_of_a_minute(trio.current_time()) == {}


async def test_creations_of_the_last_hour_are_counted_and_those_that_failed(autojump_clock):
    counters = TerminalCounters()
    for failed in (False, True, False):
        counters.note_creation(trio.current_time(), failed=failed)
    assert counters.creations_of_an_hour(trio.current_time()) == (3, 1)
    await trio.sleep(3600)
    assert counters.creations_of_an_hour(trio.current_time()) == (0, 0)
    assert (counters.created, counters.failed) == (2, 1)


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
