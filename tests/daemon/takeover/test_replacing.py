"""A daemon that is to replace another: what it has done before it asks, and who it may find at the door."""

import errno
import signal
import sqlite3
from contextlib import closing, nullcontext
from functools import partial

import pytest
import trio
import trio.testing

from exai_trio.config import Config
from exai_trio.daemon import app
from exai_trio.daemon.context import Shutdown
from exai_trio.daemon.control import signals
from exai_trio.daemon.process.home_lock import own_home
from exai_trio.daemon.takeover import sockets
from exai_trio.providers.gateway import Gateway
from exai_trio.storage.sqlite.error_kinds import NotOurs
from exai_trio.storage.sqlite.store import open_sqlite

_SHARED = {"storage_backend": "postgres", "database_url": "postgresql://nobody@127.0.0.1/none"}


class Asked(Exception):
    """The old daemon would leave now."""


@pytest.mark.parametrize(
    ("asks", "settings", "done"),
    [
        pytest.param("take_over", {}, ["loaded", "asked"], id="replaces"),
        pytest.param("bind", _SHARED, ["loaded", "asked"], id="one of many"),
        pytest.param("bind", {}, ["asked"], id="alone"),
    ],
)
async def test_what_takes_long_is_loaded_where_another_daemon_serves_meanwhile(
    tmp_path, monkeypatch, asks, settings, done
):
    """The providers' library takes about a second, and every call of that second would pay for it."""
    happened = []

    async def load(_gateway):
        await trio.lowlevel.checkpoint()
        happened.append("loaded")

    async def asked(_config):
        await trio.lowlevel.checkpoint()
        happened.append("asked")
        raise Asked

    monkeypatch.setattr(Gateway, "load", load)
    monkeypatch.setattr(app, asks, asked)
    config = Config(home=tmp_path, ws_port=0, **settings)
    with pytest.raises(Asked):
        await app.serve(config, replace=asks == "take_over")

    assert done == happened


@pytest.mark.parametrize(
    ("altered", "why"),
    [("user_version = 99", "newer EXAI"), ("application_id = 7", "another program")],
)
async def test_a_successor_that_cannot_use_the_database_asks_for_nothing(
    tmp_path, monkeypatch, altered, why
):
    """The daemon that can use it serves on; the file is as it was."""
    monkeypatch.setattr(app, "take_over", _asked)
    config = Config(home=tmp_path, ws_port=0)
    path = config.state / "exai.db"
    async with open_sqlite(path):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(f"PRAGMA {altered}")
        before = path.read_bytes()
        with pytest.raises(NotOurs, match=why):
            await app.serve(config, replace=True)
        after = path.read_bytes()

    assert before == after


@pytest.mark.parametrize("content", [None, b"", b"not a database " * 100])
async def test_a_successor_that_can_make_its_database_asks(tmp_path, monkeypatch, content):
    """What is missing or damaged does not keep a daemon from starting; nobody has touched it before it is asked for."""
    monkeypatch.setattr(app, "take_over", _asked)
    config = Config(home=tmp_path, ws_port=0)
    path = config.state / "exai.db"
    if content is not None:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with pytest.raises(Asked):
        await app.serve(config, replace=True)

    assert content == (path.read_bytes() if path.exists() else None)


async def _asked(_config):
    await trio.lowlevel.checkpoint()
    raise Asked


async def test_a_daemon_that_is_leaving_already_is_waited_for(tmp_path, monkeypatch):
    """It gives its sockets to nobody any more; who comes to replace it starts once it has left, and does not give up."""
    happened = []

    async def models(*_given):
        await trio.lowlevel.checkpoint()

    async def bind(_config):
        await trio.lowlevel.checkpoint()
        happened.append("bound")
        raise Asked

    monkeypatch.setattr(app, "_loaded_models", models)
    monkeypatch.setattr(app, "bind", bind)
    config = Config(home=tmp_path, ws_port=0)
    with pytest.RaisesGroup(Asked):
        async with trio.open_nursery() as successor:
            with own_home(config):
                successor.start_soon(partial(app.serve, config, replace=True))
                await trio.testing.wait_all_tasks_blocked()
                happened.append("left")

    assert ["left", "bound"] == happened


async def test_a_daemon_without_descriptors_goes_on(tmp_path, monkeypatch, autojump_clock, caplog):
    """Who wants to replace it just then is heard a little later."""

    class Door:
        asked = 0

        async def accept(self):
            self.asked += 1
            if self.asked < 3:
                raise OSError(errno.EMFILE, "Too many open files")
            await trio.sleep_forever()

    door = Door()
    monkeypatch.setattr(sockets, "_door", lambda _: nullcontext(door))
    ending = Shutdown()
    async with trio.open_nursery() as listening:
        await listening.start(sockets.offer, [], Config(home=tmp_path), ending)
        await trio.sleep(1)
        listening.cancel_scope.cancel()

    assert 3 == door.asked
    assert not ending.stop.is_set()
    assert ["successor not heard"] * 2 == [record.message for record in caplog.records]


async def test_only_the_second_signal_cuts_a_daemon_that_was_replaced_before():
    """It is leaving when both are told to stop: its calls are not lost to the first word that it hears."""
    stop, everything = trio.Event(), trio.CancelScope()
    stop.set()
    async with trio.open_nursery() as watching:
        await watching.start(signals.watch_signals, stop, everything)
        signal.raise_signal(signal.SIGTERM)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not everything.cancel_called
        signal.raise_signal(signal.SIGTERM)
        with trio.fail_after(20):
            while not everything.cancel_called:
                await trio.sleep(0.01)
        watching.cancel_scope.cancel()
