"""The server as a whole: its end, its log file, cancelled at every step."""

import json
import socket
from functools import partial

import pytest
import trio

from exai_trio.simulator.app import serve

pytestmark = pytest.mark.real

GLM = "/glm/api/paas/v4"
KIMI = "/kimi/v1"


def chat(model, text="hello", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def visits(http, path="/chat/completions"):
    answer = await http.get("/_requests", params={"path": path})
    return answer.json()["requests"]


async def test_cancelled_server_does_not_wait_for_a_client_that_reads_nothing(connect):
    """Cancelling ends at once, also where a socket is full and its write is shielded."""
    asked = chat("glm-4.6", "[[simulate: tokens=200000]]", stream=True)
    async with trio.open_nursery() as serving:
        origin = await serving.start(partial(serve, "127.0.0.1", 0))
        async with connect(origin) as http:
            stream = await _asked_by_hand(origin, asked)
            await _wait_stuck(http)
        serving.cancel_scope.cancel()
    await stream.aclose()


async def _asked_by_hand(origin, asked):
    """A socket on which the request was sent and nothing is read."""
    host, port = origin.removeprefix("http://").split(":")
    body = json.dumps(asked)
    head = f"Host: localhost\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}"
    stream = await trio.open_tcp_stream(host, int(port))
    await stream.send_all(f"POST {GLM}/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
    return stream


async def _wait_stuck(http):
    """Until the answer has stopped growing because the socket is full."""
    sent = [-1]
    while len(sent) < 5 or len(set(sent[-5:])) > 1:
        (visit,) = await visits(http)
        sent.append(visit["sent"])
        await trio.sleep(0.05)


async def test_request_log_file(tmp_path, connect):
    """One JSON line for each ended request."""
    log = tmp_path / "requests.jsonl"
    async with trio.open_nursery() as serving:
        origin = await serving.start(partial(serve, "127.0.0.1", 0, request_log=log))
        async with connect(origin) as http:
            await http.get(f"{KIMI}/models")
            await http.get(f"{GLM}/nothing")
        serving.cancel_scope.cancel()

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["path"], line["status"]) for line in lines] == [(f"{KIMI}/models", 200), (f"{GLM}/nothing", 404)]  # fmt: skip


async def test_cancelled_at_every_step_nothing_is_left(cancel_at_every_step):
    """Wherever the server is cancelled, its port is free again and no socket is left open."""
    ports = []

    async def scenario():
        async with trio.open_nursery() as serving:
            origin = await serving.start(partial(serve, "127.0.0.1", 0))
            ports.append(int(origin.rpartition(":")[2]))
            stream = await trio.open_tcp_stream("127.0.0.1", ports[-1])
            async with stream:
                await stream.send_all(b"GET /kimi/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await stream.receive_some(100)
            serving.cancel_scope.cancel()

    def port_is_free():
        if ports:
            with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
                probe.connect(("127.0.0.1", ports[-1]))

    assert await cancel_at_every_step(scenario, port_is_free) > 10
