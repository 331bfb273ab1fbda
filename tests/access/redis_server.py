"""A real redis-server on a free port, for one test."""

import shutil
import signal
import socket
import subprocess
from contextlib import asynccontextmanager

import attrs
import trio


@attrs.define(eq=False)
class RedisServer:
    """Started and stopped by the test; `url` is where it answers."""

    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen | None = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self):
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it is started, not waited for
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *self.options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with trio.fail_after(20):
            while not await self._answers():
                await trio.sleep(0.02)

    async def _answers(self):
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        except OSError:
            return False
        async with stream:
            await stream.send_all(b"PING\r\n")
            return bool(await stream.receive_some(64))

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    async def go_on(self):
        await trio.lowlevel.checkpoint()
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()


@asynccontextmanager
async def redis_server(*options):
    if shutil.which("redis-server") is None:
        import pytest

        pytest.skip("redis-server is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = RedisServer(port, options)
    await server.start()
    try:
        yield server
    finally:
        server.kill()
