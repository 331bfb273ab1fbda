"""The daemon's ports and the simulator's on loopback, without the daemon's process; and HTTP spoken by hand."""

import sys
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import attrs
import pytest
import trio

sys.path.insert(0, str(Path(__file__).parent))  # the module that these tests share is beside them

from routes_of_a_daemon import open_place, serve_app

_SPEC = spec_from_file_location(
    "daemon_in_memory", Path(__file__).parents[2] / "daemon" / "conftest.py"
)
_DAEMON = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_DAEMON)

_UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@attrs.frozen
class Door:
    """A port on loopback, a path on it that is answered with 200 or 101, and the headers that this needs."""

    port: int
    path: bytes
    extra: bytes = b""
    daemon: object = None


@pytest.fixture
def house():
    """`async with house(ws_token="…") as daemon:` opens a daemon with these settings."""
    return _DAEMON.open_house


@pytest.fixture
def place(tmp_path):
    """`async with place() as here:` a daemon with all its HTTP ports, without sockets."""
    return partial(open_place, _DAEMON.open_house, tmp_path)


@pytest.fixture
def listening():
    """`async with listening("health", config) as door:` the port of that name, for the length of the context."""
    return _listening


@asynccontextmanager
async def _listening(name, config):
    settings = attrs.asdict(config, recurse=False)
    async with _DAEMON.open_house(**settings) as daemon, trio.open_nursery() as serving:
        yield await _OPENED[name](daemon, serving)
        serving.cancel_scope.cancel()


async def _websocket(daemon, serving):
    listeners = await trio.open_tcp_listeners(0, host=daemon.context.config.ws_host)
    serving.start_soon(partial(trio.serve_listeners, handler_nursery=daemon.connections), daemon.server.serve, listeners)  # fmt: skip
    return Door(listeners[0].socket.getsockname()[1], b"/", _UPGRADE, daemon)


async def _http(name, path, daemon, serving):
    from exai_trio.daemon.http import ports
    from exai_trio.daemon.lifetime import watched_daemon

    watched = watched_daemon(daemon.parts, daemon.tree)
    gate = ports.gate_of(watched, daemon.server.names)
    feed = [ports.feed_of(watched, gate)] if name == "pages_app" else []
    app = getattr(ports, name)(watched, gate, *feed)
    return Door(await serve_app(app, serving, daemon.context.config.ws_host), path)


async def _simulator(daemon, serving):
    from exai_trio.simulator.app import serve

    origin = await serving.start(partial(serve, "127.0.0.1", 0, names=daemon.server.names))
    return Door(int(origin.rpartition(":")[2]), b"/_requests")


_OPENED = {
    "websocket": _websocket,
    "health": partial(_http, "health_app", b"/health"),
    "pages": partial(_http, "pages_app", b"/semaphore_monitor.html"),
    "simulator": _simulator,
}


@pytest.fixture
def ask():
    """`await ask(door, (name, value), …)`: the status of the answer, 200 for an upgrade, 0 for none; and the answer's bytes."""
    return _ask


async def _ask(door, *headers, to="127.0.0.1"):
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    async with await trio.open_tcp_stream(to, door.port) as stream:
        await stream.send_all(b"GET " + door.path + b" HTTP/1.1\r\n" + lines + door.extra + b"\r\n")  # fmt: skip
        answer = bytearray()
        with trio.fail_after(5):
            while b"\r\n\r\n" not in answer and (data := await stream.receive_some()):
                answer += data
    status = int(answer.split()[1]) if answer else 0
    return (200 if status == 101 else status), bytes(answer)
