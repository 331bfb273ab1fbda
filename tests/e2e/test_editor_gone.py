"""Editors that leave in mid-call, each in its own way: soon nothing runs for them any more."""

import json
import os
import signal
import subprocess
import sys

import pytest
import trio

pytestmark = pytest.mark.real

SHIM = [sys.executable, "-m", "exai_trio", "shim"]
# An editor that lives until it is killed, and whose shim has our pipe for its stdin.
EDITOR = f"import subprocess, time; subprocess.Popen({SHIM!r}); time.sleep(1000)"
LONG = {"name": "test_echo", "arguments": {"prompt": "x", "delay_ms": 600_000}}


def line(method, id_=None, **params):
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(message if id_ is None else {**message, "id": id_}).encode() + b"\n"


@pytest.fixture
def opened(new_place, start, fetch, until):
    """A daemon, the editor's command with a call under way, and what the daemon says that it runs."""

    class Opened:
        def __init__(self):
            self.place = new_place(http=True, EXAI_WS_PING_INTERVAL="30")
            start(self.place)

        async def running(self):
            health = await fetch(self.place.health, "/health")
            return health.json["calls"]["running"]

        async def wait_running(self, count):
            with trio.fail_after(20):
                while await self.running() != count:
                    await trio.sleep(0.05)

    return Opened()


@pytest.mark.parametrize("stdin_stays", [True, False])
async def test_a_killed_editor_leaves_no_call_running(opened, stdin_stays):
    """kill -9 of the editor, whether or not somebody else holds the pipe to its shim."""
    ours, theirs = os.pipe()
    editor = await trio.lowlevel.open_process(
        [sys.executable, "-c", EDITOR],
        stdin=ours,
        stdout=subprocess.DEVNULL,
        env=opened.place.environ,
        cwd=opened.place.home,
    )
    try:
        os.close(ours)
        os.write(theirs, line("tools/call", 1, **LONG))
        await opened.wait_running(1)
        editor.kill()
        await editor.wait()
        if not stdin_stays:
            os.close(theirs)
        await opened.wait_running(0)
    finally:
        editor.kill()
        if stdin_stays:
            os.close(theirs)


async def test_a_cancel_after_sigint_is_heard(opened):
    """As Claude Code ends: a signal, then the cancel, and its pipes stay open meanwhile."""
    with trio.fail_after(30):
        shim = await trio.lowlevel.open_process(
            SHIM,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=opened.place.environ,
            cwd=opened.place.home,
        )
        try:
            await shim.stdin.send_all(line("tools/call", 1, **LONG))
            await opened.wait_running(1)
            shim.send_signal(signal.SIGINT)
            await shim.stdin.send_all(line("notifications/cancelled", requestId=1))
            status = await shim.wait()
            await opened.wait_running(0)
        finally:
            shim.kill()
            await shim.stdin.aclose()

    assert 0 == status
