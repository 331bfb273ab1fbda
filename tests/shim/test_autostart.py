"""Who starts the daemon, and how often."""

import math
import os
import signal
import sys
from itertools import pairwise

import pytest
import trio

from exai_trio.config import Config
from exai_trio.shim import autostart
from exai_trio.shim.autostart import Starter, daemon_command
from exai_trio.system.private_files import loose

pytestmark = pytest.mark.real

LISTEN = """
import socket, sys, os, time
with open(sys.argv[2], "a") as file:
    file.write(f"{os.getpid()}\\n")
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


async def test_many_shims_start_one_daemon(tmp_path, unused_tcp_port, until):
    """Of all that race one starts the daemon, and every one finds it listening."""
    record = tmp_path / "started"
    record.touch()
    command = [sys.executable, "-c", LISTEN, str(unused_tcp_port), str(record)]
    found = []
    starters = [
        Starter("127.0.0.1", unused_tcp_port, tmp_path / "home" / "state", command)
        for _ in range(8)
    ]

    async def shim(starter):
        found.append(await starter.ensure())

    try:
        with trio.fail_after(20):
            async with trio.open_nursery() as shims:
                for starter in starters:
                    shims.start_soon(shim, starter)
        started = [int(pid) for pid in record.read_text().split()]
    finally:
        for pid in record.read_text().split():
            os.kill(int(pid), signal.SIGKILL)

    await until(lambda: all(starter._child is None or starter._reap() for starter in starters))

    assert not loose(
        tmp_path / "home"
    )  # the folders that were missing on the way are nobody else's either
    assert found == [True] * 8
    assert len(started) == 1


async def test_a_folder_that_cannot_be_written_keeps_no_daemon_from_starting(
    tmp_path, unused_tcp_port
):
    """There is no lock and no file for its output; it says itself what is wrong with the folder."""
    record = tmp_path / "started"
    (tmp_path / "file").write_text("in the way")
    command = [sys.executable, "-c", LISTEN, str(unused_tcp_port), str(record)]
    starter = Starter("127.0.0.1", unused_tcp_port, tmp_path / "file" / "state", command)

    try:
        with trio.fail_after(20):
            found = [await starter.ensure() for _ in range(2)]
    finally:
        if starter._child is not None:
            starter._child.kill()
            starter._child.wait()

    assert found == [True, True]
    assert 1 == len(record.read_text().split())


async def test_a_daemon_that_ends_at_once_is_not_started_in_a_loop(tmp_path, unused_tcp_port):
    """A start that fails is told as such, and not repeated right away."""
    record = tmp_path / "started"
    program = f"open({str(record)!r}, 'a').write('x'); raise SystemExit(2)"
    starter = Starter("127.0.0.1", unused_tcp_port, tmp_path, [sys.executable, "-c", program])
    with trio.fail_after(20):
        found = [await starter.ensure() for _ in range(3)]

    assert found == [False] * 3
    assert record.read_text() == "x"


async def test_a_daemon_that_was_killed_is_started_again(tmp_path, unused_tcp_port):
    """Soon, however short it lived."""
    record = tmp_path / "started"
    command = [sys.executable, "-c", LISTEN, str(unused_tcp_port), str(record)]
    starter = Starter("127.0.0.1", unused_tcp_port, tmp_path, command)

    with trio.fail_after(20):
        assert await starter.ensure()
        starter._child.kill()
        starter._child.wait()
        while not await starter.ensure():
            await trio.sleep(0.05)

    starter._child.kill()
    starter._child.wait()
    assert 2 == len(record.read_text().split())


class Mortal:
    """A daemon that lives for so many seconds; those that are not told serve for ever."""

    pid, returncode = 1, 2

    def __init__(self, lives, starts):
        starts.append(trio.current_time())
        self.ends = starts[-1] + (lives[len(starts) - 1] if len(starts) <= len(lives) else math.inf)

    def poll(self):
        return None if trio.current_time() < self.ends else self.returncode


async def test_the_more_often_a_daemon_ends_the_longer_it_is_left(
    tmp_path, monkeypatch, autojump_clock
):
    """Until one has lived for half a minute."""
    starts = []
    lives = [0, 0, 0, 0, 0, 0, 0, 60, 0]
    monkeypatch.setattr(autostart.subprocess, "Popen", lambda *_, **__: Mortal(lives, starts))
    starter = Starter("127.0.0.1", 1, tmp_path, ["daemon"])

    async def listening(_):
        return starter._child is not None and starter._child.poll() is None

    monkeypatch.setattr(Starter, "listening", listening)
    while len(starts) < 10:
        await starter.ensure()
        await trio.sleep(0.5)

    gaps = [round(later - former) for former, later in pairwise(starts)]
    assert [2, 4, 8, 16, 30, 30, 30, 60, 2] == gaps


async def test_a_daemon_that_drains_is_waited_for_and_replaced_at_once(
    tmp_path, monkeypatch, autojump_clock
):
    """It was well, so nothing is waited for but its end."""
    starts = []
    monkeypatch.setattr(autostart.subprocess, "Popen", lambda *_, **__: Mortal([60], starts))
    starter = Starter("127.0.0.1", 1, tmp_path, ["daemon"])

    async def listening(_):
        return starter._child is not None and trio.current_time() - starts[0] < 52

    monkeypatch.setattr(Starter, "listening", listening)
    while len(starts) < 2:
        await starter.ensure()
        await trio.sleep(0.5)

    assert 60 <= starts[1] - starts[0] < 61


async def test_a_daemon_that_is_slow_to_listen_is_not_started_twice(
    tmp_path, monkeypatch, autojump_clock
):
    """A start on a slow disk may take longer than we wait for it at a time."""
    starts = []
    monkeypatch.setattr(autostart.subprocess, "Popen", lambda *_, **__: Mortal([], starts))
    starter = Starter("127.0.0.1", 1, tmp_path, ["daemon"])

    async def listening(_):
        return trio.current_time() > starts[0] + 100 if starts else False

    monkeypatch.setattr(Starter, "listening", listening)
    while not await starter.ensure():
        await trio.sleep(0.5)

    assert 1 == len(starts)


async def test_a_listening_daemon_is_left_alone(tmp_path):
    """Where somebody listens nothing is started."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]
        starter = Starter("127.0.0.1", port, tmp_path, ["/nonexistent"])

        assert await starter.ensure()


async def test_a_daemon_that_cannot_be_started_is_no_fault_of_the_shim(tmp_path, unused_tcp_port):
    """A missing interpreter ends in False, not in an exception."""
    starter = Starter("127.0.0.1", unused_tcp_port, tmp_path, ["/nonexistent"])

    assert not await starter.ensure()


def test_the_daemon_is_told_our_address(tmp_path):
    """What came from the command line reaches the daemon as well."""
    command = daemon_command(Config(home=tmp_path, ws_port=1234))

    assert command[1:] == [
        "-P", "-m", "exai_trio", "serve", "--host", "127.0.0.1", "--port", "1234", "--home", str(tmp_path),
    ]  # fmt: skip


class Killed:
    """A daemon that is killed after so many seconds."""

    pid, returncode = 1, -9

    def __init__(self, starts, lives_s):
        starts.append(trio.current_time())
        self.ends = starts[-1] + lives_s

    def poll(self):
        return None if trio.current_time() < self.ends else self.returncode


async def test_a_daemon_that_served_is_no_failure(tmp_path, monkeypatch, autojump_clock):
    """However soon it is killed, and however often, the next one is started at once."""
    starts = []
    monkeypatch.setattr(autostart.subprocess, "Popen", lambda *_, **__: Killed(starts, 4.0))
    starter = Starter("127.0.0.1", 1, tmp_path, ["daemon"])

    async def listening(_):
        return starter._child is not None and starter._child.poll() is None

    monkeypatch.setattr(Starter, "listening", listening)
    while len(starts) < 8:
        if await starter.ensure():
            starter.note_served()
        await trio.sleep(0.1)

    assert all(4.0 <= later - former < 4.5 for former, later in pairwise(starts))


@pytest.fixture
def held_home(tmp_path):
    """EXAI_HOME's state directory, held as by a daemon until `close`."""
    from exai_trio.daemon.process.home_lock import own_home

    return own_home(Config(home=tmp_path))


@pytest.mark.parametrize("held_s", [0.0, 3.0, 12.0])
async def test_a_home_that_is_held_is_waited_for(
    tmp_path, monkeypatch, autojump_clock, held_home, held_s
):
    """A daemon that drains holds it; the next one is started when it lets go, and counts as no failure before."""
    starts = []
    monkeypatch.setattr(autostart.subprocess, "Popen", lambda *_, **__: Killed(starts, 1e9))
    starter = Starter("127.0.0.1", 1, tmp_path / "state", ["daemon"], drain_s=8.0)

    async def listening(_):
        return starter._child is not None

    monkeypatch.setattr(Starter, "listening", listening)
    async with trio.open_nursery() as nursery:
        with held_home:
            nursery.start_soon(starter.ensure)
            await trio.sleep(held_s)
        let_go_at = trio.current_time()

    assert 1 == len(starts)
    assert let_go_at <= starts[0] <= let_go_at + 0.2


async def test_a_home_that_stays_held_is_not_waited_for_for_ever(
    tmp_path, monkeypatch, autojump_clock, held_home
):
    """Then the daemon that is started says who has it."""
    starts = []
    monkeypatch.setattr(autostart.subprocess, "Popen", lambda *_, **__: Killed(starts, 1e9))
    starter = Starter("127.0.0.1", 1, tmp_path / "state", ["daemon"], drain_s=8.0)

    async def listening(_):
        return starter._child is not None

    monkeypatch.setattr(Starter, "listening", listening)
    with held_home:
        await starter.ensure()

    assert 8 <= starts[0] <= 20


@pytest.mark.real
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('exai: GLM_API_URL=x: an address. Say where GLM is.')", "GLM_API_URL=x: an address. Say where GLM is."),
        ("print('noise'); raise ModuleNotFoundError('no msgspec')", "ModuleNotFoundError: no msgspec"),
        ("import os; os.kill(os.getpid(), 9)", ""),
        ("raise SystemExit(0)", ""),
    ],
)  # fmt: skip
async def test_last_words_are_of_a_daemon_that_ended_by_itself(
    tmp_path, unused_tcp_port, program, words
):
    """Its own lines, else its last one; a kill and a leave say nothing."""
    starter = Starter("127.0.0.1", unused_tcp_port, tmp_path, [sys.executable, "-c", program])
    with trio.fail_after(20):
        found = await starter.ensure()

    assert (False, words) == (found, starter.last_words)
