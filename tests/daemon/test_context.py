"""What the parts of a daemon share, and how they are told apart."""

from pathlib import Path

import attrs
import trio

import exai_trio.daemon
from exai_trio.daemon.context import DaemonContext

DAEMON = Path(exai_trio.daemon.__file__).parent


def test_little_is_shared_by_all():
    """Five things at most: the rest is handed to whom it belongs to."""
    assert len(attrs.fields(DaemonContext)) <= 5


def test_the_daemon_has_few_rooms():
    """Sixteen modules and folders at most."""
    rooms = [p for p in DAEMON.iterdir() if p.name not in {"__init__.py", "__pycache__"}]

    assert len(rooms) <= 16


async def test_quiet_is_waited_for(house, autojump_clock):
    """Until the last call has ended, whatever begins meanwhile."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap("a", seconds=3.0)
        await client.nap("b", seconds=5.0)
        await client.hear()
        start = trio.current_time()
        await daemon.counters.wait_no_call()
        took = trio.current_time() - start

    assert 5 <= took < 6
