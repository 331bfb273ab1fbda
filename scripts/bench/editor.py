"""An editor's side of a shim: JSON-RPC lines over pipes, as lean as can be, so that what is measured is the shim."""

import os
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from subprocess import Popen
from typing import Any

import attrs
import msgspec

from .processes import PATIENCE_S, NotMeasured

VERSION = "2025-06-18"
_CLIENT = {"name": "bench", "version": "1"}


class Reply(msgspec.Struct):
    """What every answer has; the result stays unread while the clock runs."""

    id: int = 0
    result: msgspec.Raw = msgspec.Raw()
    method: str = ""


_reply = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


def request(request_id: int, method: str, params: dict[str, Any]) -> bytes:
    return _encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}) + b"\n"


def echo(request_id: int, prompt: str) -> bytes:
    arguments = {"prompt": prompt}
    return request(request_id, "tools/call", {"name": "test_echo", "arguments": arguments})


@attrs.define
class Editor:
    """One shim, spoken to by one thread."""

    process: Popen[bytes]
    _next_id: int = 1
    _rest: bytes = b""

    def greet(self) -> None:
        """initialize, up to its answer."""
        facts = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": _CLIENT}
        self.ask("initialize", facts)

    def list_tools(self) -> list[Any]:
        os.write(self._in, b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        return list(msgspec.json.decode(self.ask("tools/list", {}))["tools"])

    def call(self, prompt: str) -> bytes:
        """test_echo; the raw result."""
        return self.ask("tools/call", {"name": "test_echo", "arguments": {"prompt": prompt}})

    def check_echo(self, prompt: str) -> None:
        """Raises NotMeasured unless the prompt comes back as it is."""
        result = msgspec.json.decode(self.call(prompt))
        text = str(result["content"][0]["text"])
        if result.get("isError") or prompt not in text:
            raise NotMeasured(f"test_echo gave back {text[:300]!r}")

    def timed_calls(self, count: int, prompt: str) -> list[float]:
        """Seconds of each of so many calls, one after another."""
        lines = [echo(self._take_id(), prompt) for _ in range(count)]
        return [self._timed(line) for line in lines]

    def _timed(self, line: bytes) -> float:
        began = time.perf_counter()
        os.write(self._in, line)
        self._answer()
        return time.perf_counter() - began

    def flood(self, count: int, at_once: int, prompt: str) -> float:
        """Seconds for `count` calls of which `at_once` are always in flight."""
        ids = [self._take_id() for _ in range(count)]
        waiting = set(ids)
        lines = iter([echo(request_id, prompt) for request_id in ids])
        to_write = bytearray().join(islice(lines, at_once))
        os.set_blocking(self._in, False)
        began = time.perf_counter()
        while waiting:
            for reply in self._exchange(to_write):
                waiting.remove(reply.id)
                to_write += next(lines, b"")
        took = time.perf_counter() - began
        os.set_blocking(self._in, True)
        return took

    def _exchange(self, to_write: bytearray) -> Iterator[Reply]:
        """Write what there is room for; the answers that have come, once there is one or more can be written."""
        with suppress(BlockingIOError):
            del to_write[: os.write(self._in, to_write)]
        writable = [self._in] if to_write else []
        ready, room, _ = select.select([self._out], writable, [], PATIENCE_S)
        if not ready and not room:
            raise NotMeasured("no answer came while calls were in flight")
        if ready:
            yield from self._read_some()

    def ask(self, method: str, params: dict[str, Any]) -> bytes:
        """The raw result of any request."""
        os.write(self._in, request(self._take_id(), method, params))
        return bytes(self._answer().result)

    def _answer(self) -> Reply:
        while True:
            if not select.select([self._out], [], [], PATIENCE_S)[0]:
                raise NotMeasured(f"no answer came within {PATIENCE_S:g} s")
            for reply in self._read_some():
                return reply

    def _read_some(self) -> Iterator[Reply]:
        data = os.read(self._out, 1 << 20)
        if not data:
            raise NotMeasured("the shim closed its stdout")
        *lines, self._rest = bytes(self._rest + data).split(b"\n")
        for line in lines:
            reply = _reply.decode(line)
            if reply.method:  # notices are not counted
                continue
            if not reply.result or b'"isError":true' in bytes(reply.result):
                raise NotMeasured(f"a request failed: {line[:500]!r}")
            yield reply

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    @property
    def _in(self) -> int:
        if self.process.stdin is None:
            raise NotMeasured("the shim has no stdin")
        return self.process.stdin.fileno()

    @property
    def _out(self) -> int:
        if self.process.stdout is None:
            raise NotMeasured("the shim has no stdout")
        return self.process.stdout.fileno()
