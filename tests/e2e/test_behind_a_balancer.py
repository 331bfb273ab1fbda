"""Two real daemons on one PostgreSQL behind haproxy with the configuration that is shipped: any daemon takes any client, also when one dies."""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from itertools import count
from pathlib import Path

import attrs
import pytest
import trio
from free_ports import free_ports
from stage.old_client import old_client, raw_client
from stage.waiting import PATIENCE_S
from trio_websocket import ConnectionClosed, HandshakeError

sys.path.insert(0, str(Path(__file__).parents[1] / "storage"))
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from chaos.team.balancer import Ports, moved, servers_up
from hosted import fixtures

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(240),  # two daemons, a database and haproxy begin in each
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed"),
]
started_stage, stage = fixtures.started_stage, fixtures.stage
TOKEN = "a-token-of-the-team-0"
_HEARD_S = 60.0


@attrs.frozen
class Team:
    """Two daemons, and the balancer's port for WebSockets."""

    daemons: list
    port: int

    def client(self, **hello):
        return old_client(self.port, token=TOKEN, protocol=2, **hello)


@pytest.fixture
def team(new_place, start, stage, tmp_path):
    numbers = count()

    def place():
        (mcp,) = free_ports(1)
        return new_place(
            simulate=True, http=True, EXAI_WS_TOKEN=TOKEN, STORAGE_BACKEND="postgres", DATABASE_URL=stage.url,
            EXAI_DAEMON_NAME=f"daemon-{next(numbers)}", EXAI_MCP_PORT=str(mcp),
        )  # fmt: skip

    daemons = [start(place()), start(place())]
    balanced = Ports(*free_ports(3))
    config = tmp_path / "haproxy.cfg"
    config.write_text(moved([_ports(one.place) for one in daemons], balanced))
    with subprocess.Popen(
        ["haproxy", "-f", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as balancer:
        try:
            _wait_both_up(f"http://127.0.0.1:{balanced.health}/csv;csv")
            yield Team(daemons, balanced.websocket)
        finally:
            balancer.kill()


def _ports(place):
    return Ports(place.port, int(place.settings["EXAI_MCP_PORT"]), place.health)


def _wait_both_up(page):
    until, up = time.monotonic() + PATIENCE_S, set()
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(page) as told:  # noqa: S310  # a page of loopback
            up = servers_up(told.read().decode())
            if 4 == len(up):
                return
        time.sleep(0.1)
    raise AssertionError(f"haproxy does not take both daemons for healthy: {up}")


async def _who_runs(team):
    """The daemon that runs something."""
    (runs,) = [one for one in team.daemons if (await one.health())["calls"]["running"]]
    return runs


async def _heard(team, request_id, **asked):
    """The outcome of a call, for a client that comes again as often as its connection is cut, and asks again."""
    with trio.fail_after(_HEARD_S):
        while True:
            try:
                async with team.client(session_id="mine", last_seq=1) as client:
                    if asked:
                        await client.call(request_id, **asked)
                    return await client.hear_until("call_tool_res", request_id=request_id)
            except* (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError):
                await trio.sleep(0.02)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
async def test_a_daemon_that_is_struck_loses_no_call(team, blow, stage):
    """Its client comes to the other through the balancer, and has one answer there."""
    async with team.client(session_id="mine") as one:
        await one.call("r1", prompt="hold on", delay_ms=2000)
        await one.hear_until("call_tool_ack")
        struck = await _who_runs(team)
        struck.process.send_signal(blow)
    try:
        answer = await _heard(team, "r1")
        later = await _heard(team, "r2", prompt="more")
    finally:
        struck.process.send_signal(signal.SIGCONT)

    assert "hold on" == json.loads(answer["outputs"][0]["text"])["content"]
    assert "more" == json.loads(later["outputs"][0]["text"])["content"]
    ((attempts, rows),) = stage.execute(
        "select max(c.attempts), count(*) from journal_calls as c where c.request = '\"r1\"'"
    )
    assert attempts in {1, 2}
    assert 1 == rows


async def test_who_comes_through_it_is_not_of_this_machine(team):
    """Without a token nobody is let in, though haproxy is the daemon's own user's."""
    async with raw_client(team.port) as client:
        await client.say("hello", protocol=2)
        answer = await client.hear()

    assert not answer["ok"]
    assert "unauthorized" == answer["error"]


async def test_the_daemons_are_listed(team):
    """`exai status --daemons` asks the database alone."""
    code, out, _ = team.daemons[0].place.run("status", "--daemons", "--json")
    told = json.loads(out)

    assert 0 == code
    assert {"daemon-0", "daemon-1"} == {one["facts"]["name"] for one in told}
    assert all(one["lease_s"] > 0 for one in told)
