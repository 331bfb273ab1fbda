"""Clients cannot take the last descriptors: those that a call needs are held back."""

import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from functools import partial

import pytest
import trio
from free_ports import free_port
from trio_websocket import wrap_client_stream

from exai_trio.system.open_files import HELD_BACK, takes_held_back

LIMIT = 160


@pytest.mark.parametrize("limit", [32, 64, 160, 256, 1024, 4096, 2**20])
def test_who_is_refused_first(limit):
    """Clients first, then those that are told so, then readers of the health; some are always left."""
    last = range(limit - min(limit, 2 * HELD_BACK), limit + 1)
    purposes = ("client", "refusal", "http")
    first = [next(n for n in last if takes_held_back(n, limit, each)) for each in purposes]

    assert sorted(set(first)) == first
    assert first[-1] < limit
    assert not takes_held_back(limit - min(HELD_BACK, limit // 4) - 1, limit, "client")


def environ_of(home):
    port = free_port()
    return port, {
        "PATH": os.environ["PATH"], "HOME": str(home), "ENV_FILE": os.devnull, "EXAI_HOME": str(home / "exai"),
        "EXAI_WS_PORT": str(port), "HEALTH_CHECK_PORT": "0", "MONITORING_PORT": "0", "INCIDENTS_PORT": "0", "EXAI_SIMULATE": "true",
        "EXAI_WS_HELLO_TIMEOUT": "60",
    }  # fmt: skip


async def answer(client, request_id):
    """What a chat on this connection ends with."""
    call = {
        "op": "call_tool",
        "request_id": request_id,
        "name": "chat",
        "arguments": {"prompt": "hello"},
    }
    await client.send_message(json.dumps(call))
    with trio.fail_after(30):
        while (said := json.loads(await client.get_message())).get("op") != "call_tool_res":
            pass
    return said


@pytest.mark.real
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="ulimit -n as bash and Linux have it"
)
async def test_the_first_chat_among_many_clients(tmp_path):
    """A daemon with few descriptors, and more clients than it has: the first chat is answered, and so is the next."""
    port, environ = environ_of(tmp_path)
    command = f'ulimit -n {LIMIT}; exec "{sys.executable}" -m exai_trio serve'
    async with trio.open_nursery() as running, AsyncExitStack() as open_ones:
        process = await running.start(
            partial(
                trio.run_process,
                ["bash", "-c", command],
                env=environ,
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        )
        line = b""
        while b"WebSocket" not in line:
            line += await process.stdout.receive_some(4096)
        stream = await open_ones.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
        client = await wrap_client_stream(running, stream, "127.0.0.1", "/")
        await client.send_message(json.dumps({"op": "hello"}))
        for _ in range(2 * LIMIT):
            await open_ones.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
        first, second = [await answer(client, name) for name in ("a", "b")]
        process.terminate()
        await process.wait()
        running.cancel_scope.cancel()

    for said in (first, second):
        assert "error" not in said, said["error"]
        assert "[simulated]" in json.dumps(said)
