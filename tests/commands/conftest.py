"""A daemon that says what a test tells it to, behind memory streams; and a console that remembers."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair

from exai_trio import __version__
from exai_trio.cli import main
from exai_trio.commands.console import Console
from exai_trio.transport.websocket import (
    Limits,
    PeerGone,
    Unreachable,
    WebSocket,
    accept,
    client_on,
)
from exai_trio.wire.codec import decode_client, encode
from exai_trio.wire.messages import (
    Ack,
    CallResult,
    CallTool,
    Cancel,
    ClientMessage,
    DaemonMessage,
    Health,
    HealthReport,
    Hello,
    HelloAck,
    ListTools,
    Output,
    PayloadAck,
    PayloadGet,
    ServerFacts,
    ToolList,
)

TOOLS = [
    {
        "name": "chat",
        "description": "Ask a model. More text.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "prompt": {"type": "string"},
                "files": {"type": "array"},
                "count": {"type": "integer"},
            },
        },
    }
]


@attrs.define
class FakeDaemon:
    """Greets, lists, reports health, and answers calls as `on_call` does. `heard` is all it was sent."""

    on_call: Callable[["FakeDaemon", CallTool], Awaitable[None]] | None = None
    on_cancel: Callable[["FakeDaemon", Cancel], Awaitable[None]] | None = None
    on_get: Callable[["FakeDaemon", PayloadGet], Awaitable[None]] | None = None
    greeting: DaemonMessage | None = attrs.field(
        factory=lambda: HelloAck(
            ok=True,
            session_id="session_1",
            protocol=2,
            server=ServerFacts(name="exai", version=__version__, boot_id="b"),
        )
    )
    health: dict[str, Any] = attrs.field(factory=lambda: {"status": "healthy", "sessions": 1})
    t: str = "2026-11-20T12:00:00.000Z"
    heard: list[ClientMessage] = attrs.field(factory=list)
    absent: bool = False
    _far: trio.StapledStream | None = None
    _socket: WebSocket | None = None
    _seq: int = 0

    async def say(self, message: DaemonMessage, *, sequenced: bool = False) -> None:
        assert self._socket is not None
        self._seq += sequenced
        await self._socket.send(encode(message, self._seq if sequenced else None))

    async def answer(self, call: CallTool, text: str, **more: Any) -> None:
        output = Output(text=text, **more)
        await self.say(CallResult(request_id=call.request_id, outputs=[output]), sequenced=True)

    async def say_piece(self, piece: bytes) -> None:
        assert self._socket is not None
        await self._socket.send(piece)

    async def hang_up(self, code: int) -> None:
        assert self._socket is not None
        if code == 1006:
            raise PeerGone
        await self._socket.close(code)

    def freeze(self) -> None:
        """From now on this connection stands, and nothing comes out of it any more."""
        assert self._far is not None
        self._far.send_stream.send_all_hook = trio.sleep_forever

    def heard_of(self, kind: type) -> list[Any]:
        return [message for message in self.heard if isinstance(message, kind)]

    @asynccontextmanager
    async def dial(self, host: str, port: int, limits: Limits) -> AsyncIterator[WebSocket]:
        if self.absent:
            raise Unreachable(f"nothing listens on {host}:{port}")
        near, far = memory_stream_pair()
        self._far = far
        gone: PeerGone | None = None
        async with trio.open_nursery() as daemon:
            daemon.start_soon(self._serve, far, limits)  # noqa: ASYNC113  # the client's handshake waits for it
            try:
                async with client_on(near, f"{host}:{port}", limits) as socket:
                    yield socket
            except PeerGone as raised:
                gone = raised
            finally:
                daemon.cancel_scope.cancel()
        if gone is not None:
            raise gone

    async def _serve(self, stream: trio.abc.Stream, limits: Limits) -> None:
        try:
            async with accept(stream, limits, lambda _: None) as self._socket:
                while True:
                    await self._hear(decode_client(await self._socket.receive()))
        except PeerGone:
            return

    async def _hear(self, message: ClientMessage) -> None:
        self.heard.append(message)
        match message:
            case Hello() if self.greeting is not None:
                await self.say(self.greeting)
            case Hello():
                assert self._socket is not None
                await self._socket.close(1012, "draining")
            case ListTools():
                await self.say(ToolList(tools=TOOLS))
            case Health():
                await self.say(HealthReport(health=self.health, t=self.t))
            case CallTool() if self.on_call is not None:
                await self.on_call(self, message)
            case PayloadGet() if self.on_get is not None:
                await self.on_get(self, message)
            case Cancel() if self.on_cancel is not None:
                await self.on_cancel(self, message)
            case _:
                assert isinstance(message, Ack | Cancel | PayloadAck)


@attrs.define
class Said:
    """A console, and what came out of it."""

    out: StringIO = attrs.field(factory=StringIO)
    err: StringIO = attrs.field(factory=StringIO)

    def console(self, *, live: bool = False, screen: bool = False) -> Console:
        return Console(out=self.out, err=self.err, live=live, screen=screen)


@pytest.fixture
def daemon() -> FakeDaemon:
    return FakeDaemon()


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def bare(tmp_path, monkeypatch) -> None:
    """No setting comes from this machine's environment or working directory."""
    for name in list(os.environ):
        if name.startswith(
            ("EXAI_", "GLM_", "KIMI_", "ZAI_", "ZHIPUAI_", "MOONSHOT_", "LOG_")
        ) or name in {
            "ENVIRONMENT",
            "ENV_FILE",
            "XDG_CONFIG_HOME",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def exai(bare, capsys):
    """A command line in this process, in a home of its own: its exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words))
        return (code, *capsys.readouterr())

    return run
