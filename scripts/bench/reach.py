"""How long a call over MCP's HTTP takes, in both eras, beside a bare handler and the official application; and what it weighs."""

import json
import random
import socket
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from .pairs import our_daemon
from .processes import NotMeasured, child, environment, free_port, home, read_line, settled_weight
from .report import Goal, Row, median

_MODERN = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": _MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_STREAMS = 100


@attrs.define
class Caller:
    """One connection that is kept, and what each request says."""

    port: int
    headers: dict[str, str]
    params: dict[str, object]
    _socket: socket.socket = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, prompt: str) -> bytes:
        params = {**self.params, "name": "test_echo", "arguments": {"prompt": prompt}}
        return self.ask("tools/call", params)[1]

    def ask(self, method: str, params: dict[str, object]) -> tuple[str, bytes]:
        """Head and body of the answer. Raises NotMeasured."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        self._socket.sendall(self._head("POST", len(body)) + body)
        return self._answer()

    def listen(self) -> None:
        """A stream of the server's own messages, which is left open."""
        self._socket.sendall(self._head("GET", 0))
        if b"200" not in self._socket.recv(4096):
            raise NotMeasured("no stream")

    def _head(self, method: str, length: int) -> bytes:
        fixed = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Content-Length": str(length),
        }
        lines = [f"{name}: {value}" for name, value in (fixed | self.headers).items()]
        return "\r\n".join((f"{method} /mcp HTTP/1.1", *lines, "", "")).encode()

    def _answer(self) -> tuple[str, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        told = head.decode().lower()
        if " 200" not in told.splitlines()[0]:
            raise NotMeasured(told.splitlines()[0] + body.decode()[:200])
        length = int(told.partition("content-length:")[2].split()[0])
        while len(body) < length:
            body += self._more()
        return told, body

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 16)
        if not data:
            raise NotMeasured("the connection was closed")
        return data

    def initialized(self) -> "Caller":
        client = {"name": "bench", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        told, _ = self.ask("initialize", params)
        session = told.partition("mcp-session-id:")[2].split()[0]
        self.headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
        return self


def _modern(port: int) -> Caller:
    headers = {"MCP-Protocol-Version": _MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "test_echo"}
    return Caller(port, headers, {"_meta": _META})


@contextmanager
def _floor(kind: str) -> Generator[int]:
    scripts = Path(__file__).parents[1]
    with home() as where:
        env = environment(where) | {"PYTHONPATH": str(scripts)}
        command = [sys.executable, "-m", "bench.http_floors", kind]
        with child(command, env, where) as process:
            yield int(read_line(process).rpartition(":")[2].partition("/")[0])


def _usual() -> dict[str, object]:
    """As daemons are: with their health on a port."""
    return {"ENABLED_TOOLS": "test_echo", "HEALTH_CHECK_PORT": free_port()}


@contextmanager
def _ours() -> Generator[tuple[int, int]]:
    """Its port for MCP, and its process."""
    port = free_port()
    settings = {"EXAI_MCP_PORT": port, "MAX_CONNECTIONS": 2000, **_usual()}
    with our_daemon(**settings) as daemon:
        yield port, daemon.process.pid


def echo(*, quick: bool) -> Iterator[Row]:
    """By turns, a call each; ours of the era with sessions is journalled."""
    rounds = 300 if quick else 3000
    with _ours() as (port, _), _floor("bare") as bare, _floor("official") as official:
        sides = {
            "2025-11-25": Caller(port, {}, {}).initialized(),
            "2026-07-28": _modern(port),
            "bare": Caller(bare, {}, {}),
            "official": Caller(official, {}, {}).initialized(),
        }
        waits = {name: median(times) * 1000 for name, times in _by_turns(sides, rounds).items()}
    yield Row(
        what="a bare handler, beside official, p50",
        unit="ms",
        ours=waits["bare"],
        floor=waits["official"],
    )
    for era in ("2025-11-25", "2026-07-28"):
        for floor, bound in (("bare", 2.0), ("official", 0.6)):
            yield Row(
                what=f"HTTP echo, {era}, beside {floor}, p50",
                unit="ms",
                ours=waits[era],
                floor=waits[floor],
                goal=Goal("at most", bound, of_floor=True),
            )


def _by_turns(sides: dict[str, Caller], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides.items())
    chance = random.Random(20)  # noqa: S311 - so that none is always the first, or after the slowest
    for number in range(rounds):
        chance.shuffle(order)
        for name, side in order:
            began = time.perf_counter()
            said = side.call(f"hello {number}")
            taken[name].append(time.perf_counter() - began)
            if f"hello {number}".encode() not in said:
                raise NotMeasured(f"{name} answered {said[:200]!r}")
    return {name: times[rounds // 10 :] for name, times in taken.items()}


def memory(*, quick: bool) -> Iterator[Row]:
    """Of HTTP switched on, beside a daemon without; and of an open stream."""
    with our_daemon(**_usual()) as without, _ours() as (port, pid):
        off = settled_weight(without.process.pid).own
        on = settled_weight(pid).own
        yield Row(
            what="HTTP switched on", unit="MiB", ours=(on - off) / 2**20, goal=Goal("at most", 4)
        )
        streams = [Caller(port, {}, {}).initialized() for _ in range(_STREAMS)]
        before = settled_weight(pid).own
        for stream in streams:
            stream.listen()
        after = settled_weight(pid).own
        yield Row(
            what="an open stream",
            unit="KiB",
            ours=(after - before) / 1024 / _STREAMS,
            goal=Goal("at most", 64),
        )
