"""What terminals weigh: a keeper, the daemon for each idle session and for each client that never reads, and a session in all."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import trio

from ..processes import settled_weight, weight
from ..report import Goal, Row
from .client import Served, hello, served

_UPGRADE = (
    b"GET /terminal HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def memory(*, quick: bool) -> Iterator[Row]:
    """Resident, but for the session in all, which is what it shares with nobody."""
    count = 10 if quick else 100
    with served() as daemon:
        keeper, idle, whole = trio.run(_of_sessions, daemon, count)
    with served() as daemon:
        deaf = trio.run(_of_deaf_clients, daemon, 5 if quick else 20)
    yield Row(what="a keeper whose ring is full", unit="MiB", ours=keeper / 2**20, goal=Goal("at most", 16))  # fmt: skip
    yield Row(what="the daemon, for each idle session", unit="KiB", ours=idle / 1024, goal=Goal("at most", 64))  # fmt: skip
    yield Row(what="the daemon, for each client that never reads", unit="MiB", ours=deaf / 2**20, goal=Goal("at most", 1))  # fmt: skip
    yield Row(what="a session in all, with its shell", unit="MB", ours=whole / 1e6, goal=Goal("at most", 50))  # fmt: skip


async def _of_sessions(daemon: Served, count: int) -> tuple[float, float, float]:
    shell = await daemon.create("/bin/sh", "-c", "head -c 6000000 /dev/zero | tr '\\0' x; echo full; exec sh")  # fmt: skip
    async with daemon.attached(shell) as client:
        await client.until(b"full")
    before = (await trio.to_thread.run_sync(settled_weight, daemon.pid)).resident
    for _ in range(count):
        await daemon.create("/bin/cat")
    idle = ((await trio.to_thread.run_sync(settled_weight, daemon.pid)).resident - before) / count
    keeper = weight(shell["keeper"])
    return keeper.resident, idle, keeper.resident + weight(shell["pid"]).resident + idle


async def _of_deaf_clients(daemon: Served, count: int) -> float:
    """Each of a flood of its own, until it is left behind."""
    sessions = [await daemon.create("/bin/sh", "-c", "exec yes") for _ in range(count)]
    before = (await trio.to_thread.run_sync(settled_weight, daemon.pid)).resident
    async with AsyncExitStack() as attached:
        for session in sessions:
            await attached.enter_async_context(_deaf(daemon, session))
        await trio.sleep(12.0)
        after = weight(daemon.pid).resident
    return (after - before) / count


@asynccontextmanager
async def _deaf(daemon: Served, session: dict[str, Any]) -> AsyncGenerator[None]:
    """A client that says hello and reads nothing more."""
    async with await trio.open_tcp_stream("127.0.0.1", daemon.port) as stream:
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
        await stream.send_all(_UPGRADE)
        await stream.receive_some(4096)
        text = hello(daemon.token, session["session_id"]).encode()
        await stream.send_all(b"\x81\xfe" + len(text).to_bytes(2) + bytes(4) + text)
        yield
