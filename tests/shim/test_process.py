"""The shim as an editor starts it: a real process, driven by hand and by the official client."""

import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
import trio
from mcp import Client, StdioServerParameters

pytestmark = pytest.mark.real

SHIM = [sys.executable, "-P", "-m", "exai_trio", "shim"]


@pytest.fixture
def environment(tmp_path, unused_tcp_port):
    """An environment of its own, in which no daemon runs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "EXAI_HOME": str(tmp_path / "home"), "EXAI_WS_PORT": str(unused_tcp_port)}


@pytest.fixture
def open_process(environment, tmp_path):
    """A running shim with its pipes; gone when the context is left."""

    @asynccontextmanager
    async def opened(stderr=None):
        process = await trio.lowlevel.open_process(
            SHIM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            cwd=tmp_path,
        )
        try:
            with trio.fail_after(20):
                yield process
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                await process.stdin.aclose()
                await process.stdout.aclose()

    return opened


async def hear(process, count):
    """The next `count` messages."""
    kept = b""
    while kept.count(b"\n") < count:
        data = await process.stdout.receive_some()
        assert data, kept
        kept += data
    return [json.loads(line) for line in kept.splitlines()]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
async def test_the_official_client_is_served_without_a_daemon(environment, mode):
    """Both eras open and list the tools while nothing listens."""
    server = StdioServerParameters(command=SHIM[0], args=SHIM[1:], env=environment)
    with trio.fail_after(20):
        async with Client(server, mode=mode) as client:
            tools = await client.list_tools()

    assert "chat" in [tool.name for tool in tools.tools]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe{{{\n\x00\n" + b"x" * 1_000_000 + b"\n"])
async def test_garbage_is_survived_and_the_end_of_stdin_is_exit_0(open_process, data):
    """Binary and half lines are answered or skipped, then a ping still is; at EOF the exit code is 0."""
    async with open_process() as process:
        await process.stdin.send_all(data + b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n{"jso')
        said = await hear(process, 4 if data else 1)
        await process.stdin.aclose()
        status = await process.wait()

    assert said[-1] == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert status == 0


@pytest.mark.parametrize(("closed", "said"), [("0<&-", 0), ("1>&-", 0), ("2>&-", 1)])
async def test_a_closed_descriptor_is_an_empty_one(environment, closed, said):
    """Without stdin or stdout there is nothing to do, without stderr nothing is said there; no file of ours gets the place."""
    with trio.fail_after(20):
        done = await trio.run_process(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *SHIM],
            stdin=b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
            capture_stdout=True,
            capture_stderr=True,
            env=environment,
        )

    assert (done.stdout.count(b"\n"), done.stderr) == (said, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_is_exit_0(open_process, number):
    """An editor that ends its servers by signal finds them gone, with a clean exit."""
    async with open_process() as process:
        await process.stdin.send_all(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        await hear(process, 1)
        process.send_signal(number)
        status = await process.wait()

    assert status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_shim_that_leaves_is_no_more_hurt_by_signals(open_process, tmp_path, number):
    """Those that come while its event loop closes and while the interpreter ends change nothing, and nothing is said of them."""
    pinging = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    said = tmp_path / "stderr"
    with said.open("wb") as stderr:
        async with open_process(stderr=stderr) as process:
            await process.stdin.send_all(pinging)
            await hear(process, 1)
            while process.poll() is None:
                process.send_signal(number)
                await trio.sleep(0.0002)

    assert (0, b"") == (process.returncode, said.read_bytes())


async def test_a_signal_answers_what_is_open(open_process):
    """A call that no daemon took is answered before the process ends."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "version"}}
    async with open_process() as process:
        await process.stdin.send_all(json.dumps(call).encode() + b"\n")
        await process.stdin.send_all(b'{"jsonrpc":"2.0","id":2,"method":"ping"}\n')
        await hear(process, 1)
        process.send_signal(signal.SIGTERM)
        (answer,) = await hear(process, 1)
        status = await process.wait()

    assert (answer["id"], answer["result"]["isError"], status) == (1, True, 0)


async def test_a_stray_print_does_not_tear_the_wire(environment, tmp_path):
    """What is printed in the process goes to stderr; only JSON-RPC is on stdout."""
    program = (
        "import os, trio; from pathlib import Path\n"
        "from exai_trio.config import Config; from exai_trio.shim import app\n"
        "class Loud(app.Shim):\n"
        "    async def run(self, **k):\n"
        "        print('stray', flush=True); os.write(1, b'stray\\n'); await super().run(**k)\n"
        "app.Shim = Loud\n"
        f"trio.run(app.run, Config(home=Path({str(tmp_path)!r}), ws_port={environment['EXAI_WS_PORT']}))\n"
    )
    with trio.fail_after(20):
        done = await trio.run_process(
            [sys.executable, "-c", program],
            stdin=b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
            capture_stdout=True,
            capture_stderr=True,
            env=environment,
        )

    assert done.stdout == b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
    assert done.stderr.count(b"stray") == 2


async def test_an_orphan_leaves(environment, until):
    """A shim whose parent died ends, even if its stdin stays open."""
    program = (
        "import subprocess, sys\n"
        f"shim = subprocess.Popen({SHIM!r}, stdout=subprocess.PIPE)\n"
        "shim.stdout.readline(); print(shim.pid, flush=True)\n"
    )
    ours, theirs = os.pipe()
    os.write(theirs, b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    try:
        with trio.fail_after(20):
            done = await trio.run_process(
                [sys.executable, "-c", program], stdin=ours, capture_stdout=True, env=environment
            )
            pid = int(done.stdout)
        await until(lambda: not _alive(pid), 20)
    finally:
        os.close(ours)
        os.close(theirs)


def _alive(pid):
    """False also for a process that has ended and that nobody has asked about."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123  # one read
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
