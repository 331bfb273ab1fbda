"""Which outcomes the simulation takes for told before they were kept: what the oracle forgives must be what the daemon does."""

import pytest
import trio
from universe.commits import LifesJournal
from universe.disk import Disk

PATIENCE_S = 10.0


@pytest.mark.parametrize(
    "begun", [0.0, 59.1804364857523]
)  # the second: added and taken off again, 10 are less
async def test_an_outcome_is_late_at_the_very_end_of_the_daemons_patience(begun, autojump_clock):
    disk = Disk(None, pytest.fail)
    await trio.sleep_until(begun)
    with trio.move_on_after(PATIENCE_S), LifesJournal(disk, flushes=False)._late('"w1:1"'):
        await trio.sleep_forever()

    assert {"w1:1"} == disk.late
