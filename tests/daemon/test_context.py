"""What the parts of a daemon share, and how they are told apart."""

import logging
from pathlib import Path

import attrs
import trio

import exai_trio.daemon
from exai_trio.config import Config
from exai_trio.daemon.context import DaemonContext
from exai_trio.daemon.process.home_lock import own_home

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
        await daemon.calls.wait_none()
        took = trio.current_time() - start

    assert 5 <= took < 6


async def test_owners_say_their_state_in_a_few_words(house, autojump_clock, caplog):
    """In a debugger and in the log, which names each connection so; no setting and no secret stands there."""
    caplog.set_level(logging.DEBUG, "exai.server")
    async with house(ws_token="t" * 40) as daemon:
        owners = (daemon.context.shutdown, daemon.server, daemon.report)
        before = list(map(repr, owners))
        async with daemon.connect(token="t" * 40, session_id="win") as (client, _):
            await client.nap(seconds=9.0)
            await client.hear()
            during = list(map(repr, owners))
        daemon.context.shutdown.draining = True
        after = repr(daemon.context.shutdown)
    connected = [r.connection for r in caplog.records if r.message == "connected"]

    assert ["<Shutdown serving>", "<Server open connections=0 refusing=0>"] == before[:2]
    assert "<Report healthy port=8079 calls=0 sessions=0>" == before[2]
    assert "<Server open connections=1 refusing=0>" == during[1]
    assert "<Report healthy port=8079 calls=1 sessions=1>" == during[2]
    assert "<Shutdown draining>" == after
    assert 1 == len(connected)
    assert connected[0].startswith("<Connection of win open waiting=")


def test_a_home_says_whether_it_is_held(tmp_path):
    """By its lock."""
    with own_home(Config(home=tmp_path)) as home:
        held = repr(home)

    assert f"<HomeLock {tmp_path} held>" == held
