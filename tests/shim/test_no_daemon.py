"""Calls without a usable daemon: they end in time, and say what mends it. Daemons that end are told from those that served."""

import sys
from itertools import pairwise

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.shim import autostart
from exai_trio.shim.autostart import Starter
from exai_trio.shim.remedies import remedy
from exai_trio.transport.websocket import NotListening, PeerGone, Unreachable


def text_of(answer):
    return answer["result"]["content"][0]["text"]


@attrs.define
class Ended:
    """A starter whose daemon ended."""

    last_words: str = ""
    served: int = 0

    async def ensure(self):
        return False

    def note_served(self):
        self.served += 1


@pytest.mark.parametrize(
    ("fault", "starts", "words"),
    [
        (NotListening("nothing listens"), False, "`exai serve`"),
        (NotListening("nothing listens"), True, "`exai serve`"),
        (Unreachable("refuses the WebSocket"), True, "EXAI_WS_PORT"),
        (PeerGone(reason="gone"), False, "`exai doctor`"),
        (trio.TooSlowError(), False, "`exai doctor`"),
    ],
)
def test_every_trouble_has_a_remedy(fault, starts, words):
    """A command or a setting; of another machine that it is to be looked at there."""
    here, there = Config(), Config(ws_host="192.0.2.7")

    assert words in remedy(fault, here, starts=starts)
    assert "192.0.2.7" in remedy(fault, there, starts=starts)


@pytest.mark.parametrize("unreachable", [NotListening, Unreachable])
async def test_progress_says_what_to_do(make_world, autojump_clock, unreachable):
    """While a call waits, and in its answer."""
    async with make_world(up=False, unreachable=unreachable) as world:
        world.call(1, token="p")
        await trio.sleep(20)
        told = [params["message"] for params in world.lines.progress()]
        await trio.sleep(41)
        world.bridge.expire(trio.current_time())
        answer = await world.lines.wait_answer(1)
    word = "`exai serve`" if unreachable is NotListening else "EXAI_WS_PORT"

    assert told
    assert all(word in text for text in told)
    assert word in text_of(answer)
    assert "did not run" in text_of(answer)


async def test_last_words_are_the_answer_at_once(make_world, autojump_clock):
    """Of all that wait, and of who asks while the daemon is not started again."""
    async with make_world(up=False, unreachable=NotListening) as world:
        world.link.starter = Ended("EXAI_WS_PORT=x: a whole number from 0 to 65535.")
        world.link.ensure_daemon = world.link.starter.ensure
        began = trio.current_time()
        world.call(1)
        first = await world.lines.wait_answer(1)
        await trio.sleep(30)
        world.call(2)
        second = await world.lines.wait_answer(2)
        took = trio.current_time() - began - 30

    assert took < 2
    for answer in (first, second):
        assert "EXAI_WS_PORT=x: a whole number" in text_of(answer)
        assert "`exai serve`" in text_of(answer)
        assert "SERVICE_UNAVAILABLE" == answer["result"]["_meta"]["exai/error"]["code"]


async def test_an_accepted_call_waits_for_the_next_daemon(make_world, autojump_clock):
    """Its work is in the journal: the time without a daemon costs it nothing."""
    async with make_world(silent=True) as world:
        world.call(1, key="a", client="claude-code")
        await world.daemon.wait_for("call_tool")
        await world.daemon.accept("a")
        world.daemon.up = False
        await world.daemon.hang_up()
        await trio.sleep(500)
        world.bridge.expire(trio.current_time())
        world.daemon.up, world.daemon.silent = True, False
        answer = await world.lines.wait_answer(1)

    assert "ok" == text_of(answer)


async def test_who_served_is_told_to_the_starter(make_world, autojump_clock):
    """With each connection that is proven."""
    async with make_world() as world:
        world.link.starter = starter = Ended()
        await world.daemon.wait_for("list_tools")
        await world.daemon.hang_up()
        await world.daemon.wait_for("list_tools", 2)

    assert 1 <= starter.served <= 2


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
    from exai_trio.daemon.home_lock import own_home  # noqa: PLC0415

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
