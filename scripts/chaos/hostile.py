"""Clients that mean harm, beside honest ones: what they send to every port, and what they ask for. What is honest: `load`."""

import json
import random
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import attrs
import trio

from .caller import LOST, Caller, Refused
from .children import free_port
from .traps import Traps
from .world import World

_LARGE: Final = 9_000_000  # characters
_PATIENCE_S: Final = 3.0  # for an answer
_PAUSE_S: Final = 0.2  # between two acts of one client
_UPGRADE: Final = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_HOSTS: Final = (
    b"evil.example", b"evil@127.0.0.1", b"127.0.0.1/x", b"127.0.0.1:99999999", b"\xff\xfe", "ｌocalhost".encode(), b"xn--" + b"9" * 4000,
    b"", b"127.0.0.1\r\nHost: evil.example", b"127.0.0.1\r\nOrigin: https://evil.example",
    b"127.0.0.1\r\nOrigin: http://127.0.0.1:8080\r\nOrigin: https://evil.example",
)  # fmt: skip
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
_RESET: Final = b"\0\0\4\3\0\0\0\0\1\0\0\0\10"
_GUESS_S: Final = 0.001
_MOST_GUESSES: Final = 100
# The owner of this home shows none: these cost a check, and let nobody in who would not be let in without.
_GUESSES: Final = (
    "x" * 40,
    "a.b.c",
    f"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.{'x' * 43}",
)
_GONE: Final = (*LOST, Refused, trio.TooSlowError, trio.ClosedResourceError)


@attrs.define(eq=False)
class Hostility:
    """What hostile clients do to one daemon, and what came of it."""

    world: World
    traps: Traps
    frames: list[bytes]
    health: int = attrs.field(factory=free_port)
    pages: int = attrs.field(factory=free_port)
    acts: int = 0
    let_in: int = 0
    _told: set[str] = attrs.field(factory=set[str])

    @property
    def settings(self) -> dict[str, object]:
        """What the daemon is told: where it may read, its keys, and to open all its ports and log everything."""
        return {
            "EXAI_ALLOWED_ROOTS": self.traps.project,
            "GLM_API_KEY": self.traps.key,
            "KIMI_API_KEY": self.traps.key,
            "HEALTH_CHECK_PORT": self.health,
            "MONITORING_PORT": self.pages,
            "INCIDENTS_PORT": "0",
            "LOG_LEVEL": "DEBUG",
        }

    @property
    def ports(self) -> tuple[int, int, int]:
        """The WebSocket's first."""
        return self.world.port, self.health, self.pages

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as clients:
            for act in (self._hosts, self._resets, self._preface, self._secrets):
                clients.start_soon(self._again, act)
            clients.start_soon(self._again, self._large)
            clients.start_soon(self._guess)
            clients.start_soon(self._read)
            for port in self.ports:
                for _ in range(40):
                    clients.start_soon(self._again, self._drip, port)

    async def _again(self, act: Callable[..., Awaitable[None]], *what: object) -> None:
        while True:
            with suppress(*_GONE):
                await act(*what)
            self.acts += 1
            await trio.sleep(_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311  # no secret

    def _hear(self, said: bytes | str, of: str) -> None:
        self._told |= {f"{name} in {of}" for name in self.traps.found_in(said)}

    async def _hosts(self) -> None:
        """A name that is not ours, on a port."""
        host, port = random.choice(_HOSTS), random.choice(self.ports)  # noqa: S311  # no secret
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n" + _UPGRADE)
            answer = await _answer(stream)
            self.let_in += answer.startswith((b"HTTP/1.1 101", b"HTTP/1.1 2"))
            self._hear(answer, "an answer to a foreign host")

    async def _large(self) -> None:
        """A frame of megabytes, and away before or after its answer."""
        async with await self._welcomed() as stream:
            await stream.send_all(random.choice(self.frames))  # noqa: S311  # no secret
            self._hear(await _answer(stream), "an answer to a large frame")
            await _reset(stream)

    async def _welcomed(self) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", self.ports[0])
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + _UPGRADE)
        await stream.receive_some(4096)
        await stream.send_all(_framed(json.dumps({"op": "hello", "protocol": 2, "roots": ["/"]})))
        await stream.receive_some(4096)
        return stream

    async def _guess(self) -> None:
        """Tokens that are none, a thousand a second."""
        async with trio.open_nursery() as guesses:
            while True:
                if len(guesses.child_tasks) < _MOST_GUESSES:
                    guesses.start_soon(self._guess_one)
                await trio.sleep(_GUESS_S)

    async def _guess_one(self) -> None:
        guess = {"op": "hello", "jwt": random.choice(_GUESSES)}  # noqa: S311  # no secret
        with suppress(*_GONE):
            async with await trio.open_tcp_stream("127.0.0.1", self.ports[0]) as stream:
                await stream.send_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + _UPGRADE)
                await stream.receive_some(4096)
                await stream.send_all(_framed(json.dumps(guess)))
                self._hear(await _answer(stream), "an answer to a guess")
        self.acts += 1

    async def _drip(self, port: int) -> None:
        """A head that never ends."""
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            for letter in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200:
                await stream.send_all(bytes([letter]))
                await trio.sleep(0.3)

    async def _resets(self) -> None:
        """Half a frame, and a reset."""
        async with await self._welcomed() as stream:
            await stream.send_all(b"\x81\xff" + (10**7).to_bytes(8) + bytes(4) + b"x" * 50_000)
            await _reset(stream)

    async def _preface(self) -> None:
        """HTTP/2 without asking, and a storm of its resets."""
        port = random.choice(self.ports)  # noqa: S311  # no secret
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(_PREFACE + _RESET * 1000)
            self.let_in += not (await _answer(stream)).startswith((b"HTTP/1.1", b""))

    async def _secrets(self) -> None:
        """Words that must not be said again, where they may end in a log."""
        words = {"token": self.traps.token, "jwt": self.traps.jwt}
        async with await trio.open_tcp_stream("127.0.0.1", self.ports[0]) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + _UPGRADE)
            await stream.receive_some(4096)
            await stream.send_all(_framed(json.dumps({"op": "hello", "protocol": 2, **words})))
            rotation = {"op": "rotate_token", "old": self.traps.token, "new": self.traps.jwt}
            await stream.send_all(_framed(json.dumps(rotation)))
            self._hear(await _answer(stream), "an answer to a token")

    async def _read(self) -> None:
        """Ask the tools for what lies outside the roots, and for what runs programs."""
        while True:
            caller = Caller()
            try:
                async with caller.connected(self.ports[0]):
                    for number, (tool, arguments) in enumerate(_wishes(self.traps)):
                        await caller.say("call_tool", request_id=f"w{number}", name=tool, arguments=arguments, roots=["/"])  # fmt: skip
                        outcome = await caller.outcome(f"w{number}", within=10.0)
                        self._hear(json.dumps(outcome), f"an answer of {tool}")
                        self.acts += 1
                        await trio.sleep(_PAUSE_S)
            except* _GONE:
                pass
            await trio.sleep(_PAUSE_S)

    async def harm(self) -> list[str]:
        """What must not have been, after the daemon has written everything down."""
        asked = await self._asked_of_models()
        self._told |= {f"{name} in a prompt" for name in self.traps.found_in(asked)}
        self._told |= set(self.traps.found_on_disk(self.world.home / "exai"))
        ran = [f"{self.traps.ran} foreign programs run"] if self.traps.ran else []
        let_in = [f"{self.let_in} let in that are not ours"] if self.let_in else []
        return [*ran, *let_in, *sorted(self._told)]

    @property
    def told(self) -> str:
        """The counts in one line; `harm` has looked for them."""
        foreign = sum(one.startswith("foreign") for one in self._told)
        secret = len(self._told) - foreign
        return f"{self.acts} hostile acts: {self.traps.ran} foreign programs run, {foreign} times something from outside the roots, {secret} canaries"  # fmt: skip

    async def _asked_of_models(self) -> bytes:
        """The bodies of all requests that the models got; their headers have our key, and must."""
        said = await self.world.provider.requests()
        return json.dumps([one["body"] for one in said]).encode()


def _wishes(traps: Traps) -> list[tuple[str, dict[str, Any]]]:
    step = {"step": "look", "step_number": 1, "total_steps": 1, "next_step_required": False, "findings": "none"}  # fmt: skip
    checks: list[tuple[str, dict[str, Any]]] = [
        ("precommit", {**step, "path": str(path)}) for path in traps.repositories
    ]
    reads: list[tuple[str, dict[str, Any]]] = [
        ("chat", {"prompt": "say it", "files": [name], "use_websearch": False})
        for name in traps.leading_out
    ]
    return [*checks, *reads, ("kimi_upload_files", {"files": [traps.leading_out[0]]})]


def large_frames(traps: Traps) -> list[bytes]:
    """As they travel."""
    text = "x" * _LARGE
    calls: list[dict[str, Any]] = [
        {"name": text}, {"name": "chat", "arguments": {text: 1}}, {"name": "chat", "arguments": {f"k{n}": 1 for n in range(600_000)}},
        {"name": "test_echo", "roots": [str(traps.outside)] * 100_000}, {"name": "chat", "arguments": {"model": text, "prompt": "x"}},
    ]  # fmt: skip
    said = [json.dumps({"op": "call_tool", "request_id": "large", **call}) for call in calls]
    begun = '{"op":"call_tool","request_id":"large","name":"chat","arguments":'
    said += [begun + "[" * _LARGE, begun + "[" + "[]," * (_LARGE // 3) + "1]}", begun + '{"prompt":"' + text]  # fmt: skip
    said += ['{"op":"ping","request_id":' + "7" * _LARGE + "}", json.dumps({"op": text})]
    return [_framed(one) for one in said]


def _framed(text: str) -> bytes:
    data = text.encode()
    return b"\x81\xff" + len(data).to_bytes(8) + bytes(4) + data


async def _answer(stream: trio.SocketStream) -> bytes:
    """What comes within a while, or until the peer closes."""
    said = bytearray()
    with trio.move_on_after(_PATIENCE_S):
        while data := await stream.receive_some(65_536):
            said += data
            if len(said) > 2:  # an answer, and not only the beginning of a frame
                break
    return bytes(said)


async def _reset(stream: trio.SocketStream) -> None:
    """End the connection as by a cut: what is unread is thrown away."""
    stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(stream)
