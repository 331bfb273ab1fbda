"""The simulator as a process: what it prints, and what ends it."""

import json
import signal
import subprocess
import sys
from functools import partial

import httpx2
import pytest
import trio

pytestmark = pytest.mark.real

COMMAND = [sys.executable, "-P", "-m", "exai_trio.simulator"]


async def started(nursery, *options):
    run = partial(
        trio.run_process,
        [*COMMAND, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        check=False,
    )
    process = await nursery.start(run)
    line = b""
    while not line.endswith(b"\n"):
        line += await process.stdout.receive_some(1000)
    return process, json.loads(line)["simulator"]


async def test_ends_with_its_stdin(nursery, connect):
    """A parent that dies closes the pipe, and the simulator is gone."""
    process, origin = await started(nursery, "--until-eof")
    async with connect(origin) as http:
        assert (await http.get("/_state")).status_code == 200
    await process.stdin.aclose()

    assert await process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_ends_at_a_signal(nursery, connect, number):
    """Both signals end it in order, also while an answer hangs; without --until-eof stdin does not matter."""
    process, origin = await started(nursery)
    await process.stdin.aclose()
    async with connect(origin) as http:
        asked = {"model": "kimi-k3", "messages": [{"role": "user", "content": "[[simulate: hang]]"}]}  # fmt: skip
        nursery.start_soon(_broken_off, http, asked)
        while True:
            state = (await http.get("/_state")).json()
            if state["open"]:
                break
            await trio.sleep(0.01)
        process.send_signal(number)

        assert await process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_simulator_that_leaves_is_no_more_hurt_by_signals(nursery, number):
    """Those that come while its event loop closes and while the interpreter ends change nothing."""
    process, _ = await started(nursery)
    while process.poll() is None:
        process.send_signal(number)
        await trio.sleep(0.0002)

    assert process.returncode == 0


async def _broken_off(http, asked):
    with pytest.raises(httpx2.TransportError):
        await http.post("/kimi/v1/chat/completions", json=asked, timeout=None)
