"""A wall clock that is days ahead, or is set while the daemon runs."""

import trio

from exai_trio.daemon.jobs import Jobs
from exai_trio.wire.messages import CallResult


def three_days_ahead():
    return 1_790_000_000.0 + 3 * 86_400


async def test_nothing_is_old_in_the_first_hour(house, journal, autojump_clock):
    """A daemon that starts with a clock three days ahead still has the outcome for a client that comes back, and forgets what
    is acknowledged; later it forgets by age."""
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap()
        await client.hear_until(CallResult)
    async with house(journal) as daemon:
        object.__setattr__(daemon.shared, "now", three_days_ahead)
        jobs = Jobs(daemon.shared, daemon.sessions)
        await jobs.sweep_journal()
        at_once = await journal.session("win")
        await trio.sleep(3600)
        await jobs.sweep_journal()
        later = await journal.session("win")

    assert 1 == len(at_once.calls)
    assert later is None


async def test_the_uptime_is_not_of_a_clock_that_is_set(house, autojump_clock):
    """A wall clock that jumps three days ahead makes no daemon older."""
    async with house() as daemon:
        await trio.sleep(90)
        object.__setattr__(daemon.shared.facts, "now", three_days_ahead)
        told = daemon.shared.facts.identity()

    assert (90.0, "2026") == (told["uptime_s"], told["t"][:4])
