"""Real processes: daemons with their simulator, and old clients. Everything that is started ends with its fixture.

Nothing here waits for time: `until` waits for conditions, with a deadline for the case that they never come true.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

REPOSITORY = Path(__file__).resolve().parents[2]
EXAI = [sys.executable, "-m", "exai_trio"]
PATIENCE_S = 20.0
LARGEST = 64 * 2**20

Frame = dict[str, Any]


async def until(condition: Callable[[], Any], *, within: float = PATIENCE_S) -> Any:
    """What `condition` gives (or what it awaits to) as soon as it is true."""
    found: Any = None
    with trio.move_on_after(within):
        while True:
            found = condition()
            if hasattr(found, "__await__"):
                found = await found
            if found:
                return found
            await trio.sleep(0.02)
    raise AssertionError(f"still {found!r} after {within:g} s: {condition}")


@attrs.frozen
class Answered:
    """What an HTTP server said."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def fetch(
    port: int, path: str, *, host: str = "127.0.0.1", headers: tuple[str, ...] = ()
) -> Answered:
    """One GET on a connection of its own; `host` is what the Host header says."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all("\r\n".join(lines).encode())
        said = b"".join([data async for data in stream])
    head, _, body = said.partition(b"\r\n\r\n")
    return Answered(int(head.split()[1]), body)


def free_ports(count: int) -> list[int]:
    """Loopback ports on which nobody listens, below those that the system gives to outgoing connections: between our look
    and the daemon's bind, and while a daemon is down, no client's own socket can come to stand on them."""
    found: list[int] = []
    while len(found) < count:
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only its name until somebody asks for its exit code."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


@attrs.frozen
class Old:
    """A client of protocol 1, spoken to in plain frames."""

    socket: WebSocketConnection
    stream: trio.SocketStream

    async def say(self, op: str, **fields: Any) -> None:
        await self.socket.send_message(json.dumps({"op": op, **fields}))

    async def hear(self) -> Frame:
        with trio.fail_after(PATIENCE_S):
            return json.loads(await self.socket.get_message())

    async def hear_until(self, op: str, **fields: Any) -> Frame:
        """The next frame of this op with these fields; what comes before it is skipped."""
        while True:
            heard = await self.hear()
            if {"op": op, **fields}.items() <= heard.items():
                return heard

    async def call(self, request_id: str, name: str = "test_echo", **arguments: Any) -> None:
        await self.say("call_tool", request_id=request_id, name=name, arguments=arguments)

    async def outcome(self, request_id: str, name: str = "test_echo", **arguments: Any) -> Frame:
        """Call and hear the one result."""
        await self.call(request_id, name, **arguments)
        return await self.hear_until("call_tool_res", request_id=request_id)

    async def vanish(self) -> None:
        """Hang up without a goodbye."""
        await trio.aclose_forcefully(self.stream)

    async def heard_close(self) -> tuple[int, str]:
        """Code and reason of the daemon's goodbye; frames before it are skipped."""
        try:
            with trio.fail_after(PATIENCE_S):
                await self._read_on()
        except ConnectionClosed as closed:
            return closed.reason.code, closed.reason.reason or ""

    async def _read_on(self) -> NoReturn:
        while True:
            await self.socket.get_message()


@asynccontextmanager
async def raw_client(
    port: int, *, host: str = "127.0.0.1", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> AsyncIterator[Old]:
    """A WebSocket that has said nothing. Leaving closes it."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with trio.open_nursery() as reading:
        try:
            socket = await wrap_client_stream(
                reading,
                stream,
                host,
                "/",
                extra_headers=list(headers),
                message_queue_size=1000,
                max_message_size=LARGEST,
            )
            yield Old(socket, stream)
            with trio.move_on_after(2):
                await socket.aclose()
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def old_client(port: int, **hello: Any) -> AsyncIterator[Old]:
    """A client that has said hello and was welcomed."""
    async with raw_client(port) as client:
        await client.say("hello", **hello)
        assert (await client.hear())["ok"]
        yield client


@attrs.frozen(kw_only=True)
class Place:
    """A home and ports of its own, with nothing of this machine's settings."""

    home: Path
    port: int
    health: int = 0
    pages: int = 0
    settings: dict[str, str] = attrs.field(factory=dict)

    python = sys.executable

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "ENV_FILE": os.devnull,
            "EXAI_HOME": str(self.exai),
            "EXAI_WS_PORT": str(self.port),
            "HEALTH_CHECK_PORT": str(self.health),
            "MONITORING_PORT": str(self.pages),
            **self.settings,
        }

    @property
    def exai(self) -> Path:
        return self.home / "exai"

    @property
    def temporary(self) -> Path:
        return self.home / "tmp"

    @property
    def logs(self) -> Path:
        return self.exai / "logs"

    def client(self, **hello: Any) -> AbstractAsyncContextManager[Old]:
        """A client that has said hello and was welcomed."""
        return old_client(self.port, **hello)

    def logged(self, event: str) -> int:
        """How often the daemon's log has this event."""
        lines = (self.logs / "ws_daemon.log").read_text(encoding="utf-8").splitlines()
        return sum(json.loads(line)["event"] == event for line in lines)

    def start(self, *argv: str, **more: str) -> subprocess.Popen[bytes]:
        self.temporary.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [*EXAI, *argv],
            cwd=self.home,
            env={**self.environ, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *argv: str, **more: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        with self.start(*argv, **more) as running:
            try:
                out, err = running.communicate(timeout=PATIENCE_S)
            finally:
                running.kill()
        return running.returncode, out.decode(), err.decode()


@attrs.frozen(kw_only=True)
class Daemon:
    """A running `exai serve`."""

    place: Place
    process: subprocess.Popen[bytes]
    simulator: int

    @property
    def pid(self) -> int:
        return self.process.pid

    async def health(self, path: str = "/health") -> Any:
        return (await fetch(self.place.health, path)).json

    async def requests(self, since: int = 0) -> list[Frame]:
        """The provider's log of chat requests that came after number `since`."""
        path = f"/_requests?path=/chat/completions&since={since}"
        return (await fetch(self.simulator, path)).json["requests"]

    async def simulator_state(self) -> Frame:
        return (await fetch(self.simulator, "/_state")).json

    async def last_request(self) -> int:
        return max((one["number"] for one in await self.requests()), default=0)

    async def idle(self) -> bool:
        """Nothing runs and every permit is free."""
        permits = await self.health("/health/semaphores")
        all_permits = [permits["global"], *permits["providers"].values()]
        running = (await self.health())["calls"]["running"]
        return not running and all(one["current"] == one["expected"] for one in all_permits)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def wait(self) -> tuple[int, str]:
        """Exit code and stderr, once it has ended."""
        await until(lambda: self.process.poll() is not None)
        return self.process.returncode, self.process.stderr.read().decode()

    def offspring(self) -> list[int]:
        """Its child processes."""
        threads = Path(f"/proc/{self.pid}/task").iterdir()
        texts = [(thread / "children").read_text(encoding="utf-8") for thread in threads]
        return [int(child) for text in texts for child in text.split()]

    def end(self) -> None:
        """Terminate it if it still runs. It must leave with 0 and without a word."""
        if self.process.poll() is None:
            self.process.terminate()
            _, err = self.process.communicate(timeout=PATIENCE_S)
            assert (0, b"") == (self.process.returncode, err)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


def started(place: Place, **more: str) -> Daemon:
    process = place.start("serve", **more)
    line = process.stdout.readline().decode()
    if f"WebSocket ws://127.0.0.1:{place.port}/" not in line:
        process.kill()
        said = process.communicate()
        raise AssertionError(f"the daemon did not start: {line!r} {said} {process.returncode}")
    simulator = line.partition("simulator http://127.0.0.1:")[2].strip()
    return Daemon(place=place, process=process, simulator=int(simulator or 0))


@pytest.fixture(scope="session")
def new_place(tmp_path_factory) -> Callable[..., Place]:
    """`new_place(EXAI_DRAIN_S="1")`: an empty home, free ports, and these settings."""

    def new(*, simulate: bool = False, http: bool = False, **settings: str) -> Place:
        port, health, pages = free_ports(3)
        web = {"health": health, "pages": pages} if http else {}
        if simulate:
            settings["EXAI_SIMULATE"] = "true"
        return Place(home=tmp_path_factory.mktemp("e2e"), port=port, settings=settings, **web)

    return new


@contextmanager
def _daemons() -> Iterator[Callable[..., Daemon]]:
    with ExitStack() as running:

        def start(place: Place, **more: str) -> Daemon:
            daemon = started(place, **more)
            running.callback(daemon.end)
            return daemon

        yield start


@pytest.fixture(name="until", scope="session")
def _until() -> Callable[..., Any]:
    """`await until(condition)`: what the condition gives, as soon as it is true."""
    return until


@pytest.fixture(name="fetch", scope="session")
def _fetch() -> Callable[..., Any]:
    """`await fetch(port, path, host=…)`: one GET."""
    return fetch


@pytest.fixture(name="raw_client", scope="session")
def _raw_client() -> Callable[..., Any]:
    """`async with raw_client(port, host=…)`: a WebSocket that has said nothing."""
    return raw_client


@pytest.fixture(name="is_running", scope="session")
def _is_running() -> Callable[[int], bool]:
    return is_running


@pytest.fixture
def start() -> Iterator[Callable[..., Daemon]]:
    """`start(place)`: a daemon for this test alone, ended after it."""
    with _daemons() as starting:
        yield starting


@pytest.fixture
def serving() -> Callable[..., Any]:
    """`with serving(place) as process:` a daemon that may say things on stderr; the context waits until it serves."""

    @contextmanager
    def serve(place: Place, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        with place.start("serve", **more) as process:
            try:
                assert b"WebSocket ws://" in process.stdout.readline()
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=PATIENCE_S)

    return serve


@pytest.fixture(scope="module")
def start_for_module() -> Iterator[Callable[..., Daemon]]:
    """The same for all tests of a module."""
    with _daemons() as starting:
        yield starting


@pytest.fixture(scope="session")
def daemon(new_place) -> Iterator[Daemon]:
    """The daemon that tests share: with a simulator, short grace, and room for many calls at once."""
    place = new_place(
        simulate=True,
        http=True,
        CIRCUIT_BREAKER_ENABLED="false",
        ENABLED_TOOLS="test_echo",
        EXAI_PROGRESS_INTERVAL_S="0.1",
        EXAI_SESSION_GRACE_S="0.5",
        EXAI_WS_GLOBAL_MAX_INFLIGHT="128",
        EXAI_WS_SESSION_MAX_INFLIGHT="32",
        EXAI_WS_GLM_MAX_INFLIGHT="64",
        EXAI_WS_KIMI_MAX_INFLIGHT="64",
    )
    with _daemons() as starting:
        running = starting(place)
        offspring = running.offspring()
        yield running
        running.end()
    assert [] == [pid for pid in offspring if is_running(pid)]
