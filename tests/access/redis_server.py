"""A real redis-server on a free port, for one test."""

import shutil
import signal
import subprocess
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio
from free_ports import free_port


@attrs.define(eq=False)
class RedisServer:
    """Started and stopped by the test; `url` is where it answers."""

    port: int
    options: tuple[str, ...] = ()
    tls: Path | None = None
    process: subprocess.Popen | None = None

    @property
    def url(self):
        if self.tls is None:
            return f"redis://127.0.0.1:{self.port}/0"
        return f"rediss://127.0.0.1:{self.port}/0?ssl_ca_certs={self.tls / 'cert.pem'}"

    async def start(self):
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it is started, not waited for
            ["redis-server", *self._listening(), "--bind", "127.0.0.1", "--save", "", *self.options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with trio.fail_after(20):
            while not await self._answers():
                await trio.sleep(0.02)

    def _listening(self):
        if self.tls is None:
            return ["--port", str(self.port)]
        files = {"cert": "cert.pem", "key": "key.pem", "ca-cert": "cert.pem"}
        named = [word for name, file in files.items() for word in (f"--tls-{name}-file", str(self.tls / file))]  # fmt: skip
        return ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no", *named]

    async def _answers(self):
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        except OSError:
            return False
        async with stream:
            if self.tls is not None:
                return True
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
async def redis_server(*options, tls=None):
    if shutil.which("redis-server") is None:
        import pytest

        pytest.skip("redis-server is not installed")
    server = RedisServer(free_port(), options, tls)
    await server.start()
    try:
        yield server
    finally:
        server.kill()


@attrs.define(eq=False)
class SlowWay:
    """A proxy before a server, by which each answer is late by `delay_s`; `asked` counts what was sent to the server."""

    port: int
    to: int
    delay_s: float = 0.0
    asked: int = 0

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    async def serve(self, client):
        async with client, await trio.open_tcp_stream("127.0.0.1", self.to) as server, trio.open_nursery() as ways:  # fmt: skip
            ways.start_soon(self._pass_on, client, server, False)
            await self._pass_on(server, client, True)
            ways.cancel_scope.cancel()

    async def _pass_on(self, source, sink, is_late):
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some():
                self.asked += not is_late
                await trio.sleep(self.delay_s if is_late else 0)
                await sink.send_all(data)


@asynccontextmanager
async def slow_way(to):
    async with trio.open_nursery() as serving:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        way = SlowWay(listener.socket.getsockname()[1], to)
        serving.start_soon(trio.serve_listeners, way.serve, [listener])
        yield way
        serving.cancel_scope.cancel()
