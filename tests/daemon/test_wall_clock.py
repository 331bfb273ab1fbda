"""A wall clock that is days ahead, or is set while the daemon runs."""

import attrs
import pytest
import trio

from exai_trio.storage.base import SWEEP_GRACE_S, Turn
from exai_trio.wire.messages import CallResult

START = 1_790_000_000.0
DAY_S = 86_400.0
SELDOM = {"eviction": 300.0, "calls": 300.0}  # what has nothing to do here: an hour is long


def three_days_ahead():
    return 1_790_000_000.0 + 3 * 86_400


async def test_nothing_is_old_in_the_first_hour(house, journal, autojump_clock):
    """A daemon that starts with a clock three days ahead still has the outcome for a client that comes back; later it marks by
    age, and so forgets after the grace."""
    async with house(journal) as first, first.connect(session_id="win") as (client, _):
        await client.nap()
        await client.hear_until(CallResult)
    async with house(journal, periods=SELDOM) as daemon:
        daemon.context.clock.now = lambda: three_days_ahead() + trio.current_time()
        daemon.context.clock.trust.known_at = START
        upkeep = daemon.jobs.upkeep
        await upkeep.sweep_journal()
        daemon.context.clock.is_trusted()  # as the other sweep asks
        at_once = list(journal._marks)
        await trio.sleep(3601)
        await upkeep.sweep_journal()
        gone = await journal.sweep_calls(daemon.context.clock.now() + SWEEP_GRACE_S, 300.0)

    assert ([], 1) == (at_once, gone)


@pytest.mark.parametrize("there", ["at the start", "later"])
async def test_a_clock_that_jumps_takes_nothing(house, autojump_clock, there):
    """Two days ahead, no conversation is marked for an hour; a clock that is set right meanwhile is trusted at once, and
    everything is there."""
    async with house(periods=SELDOM) as daemon:
        store, upkeep, clock = _conversations(daemon), daemon.jobs.upkeep, _Clock()
        daemon.context.clock.now = clock
        turn = Turn(role="user", text="kept", tool="chat", at=START)
        await store.append("c", (turn,), START, START + 2 * DAY_S)
        if there == "later":
            await upkeep.sweep_conversations()
            await trio.sleep(300)
        else:
            daemon.context.clock.trust.known_at = START
        clock.ahead = 3 * DAY_S
        for _ in range(11):
            await upkeep.sweep_conversations()
            await trio.sleep(300)
        doubted = (dict(store._marked), daemon.context.clock.is_trusted())
        clock.ahead = 0.0
        right = daemon.context.clock.is_trusted()
        found = await store.load("c", clock())

    assert ({}, False) == doubted
    assert right
    assert (turn,) == found.turns


async def test_a_clock_that_stays_ahead_is_believed_after_an_hour(house, autojump_clock):
    """Then what is old is marked, and is there again for who sets the clock right within the grace."""
    async with house(periods=SELDOM) as daemon:
        store, upkeep, clock = _conversations(daemon), daemon.jobs.upkeep, _Clock()
        daemon.context.clock.now = clock
        turn = Turn(role="user", text="kept", tool="chat", at=START)
        await store.append("c", (turn,), START, START + 2 * DAY_S)
        daemon.context.clock.trust.known_at = START
        clock.ahead = 3 * DAY_S
        for _ in range(14):
            await upkeep.sweep_conversations()
            await trio.sleep(300)
        marked = list(store._marked)
        clock.ahead = 0.0
        await upkeep.sweep_conversations()
        found = await store.load("c", clock())

    assert ["c"] == marked
    assert ({}, (turn,)) == (store._marked, found.turns)


def _conversations(daemon):
    return daemon.environment.services.conversations


@attrs.define
class _Clock:
    """A wall clock that can be set."""

    ahead: float = 0.0

    def __call__(self):
        return START + self.ahead + trio.current_time()


async def test_the_uptime_is_not_of_a_clock_that_is_set(house, autojump_clock):
    """A wall clock that jumps three days ahead makes no daemon older."""
    async with house(periods=SELDOM) as daemon:
        await trio.sleep(90)
        daemon.context.clock.now = three_days_ahead
        told = daemon.report.identity()

    assert (90.0, "2026") == (told["uptime_s"], told["t"][:4])
