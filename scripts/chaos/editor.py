"""An editor: JSON-RPC over the pipes of a shim, many calls at once. It notes every answer, also those nobody asked for."""

import json
from collections.abc import Sequence
from typing import Any

import attrs
import trio

from .children import PATIENCE_S, Child, NotStarted

_CLIENT = {"name": "chaos", "version": "1"}
_HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": _CLIENT}


@attrs.frozen
class Answer:
    """`code` is EXAI's, "" for a success."""

    at: float
    code: str
    text: str


@attrs.define(eq=False)
class Editor:
    """`unasked` are the ids of answers that belong to no open request: a second answer is one."""

    child: Child
    unasked: list[Any] = attrs.field(factory=list)
    progress: int = 0
    answered: int = 0
    last_answer_at: float = 0.0
    _open: dict[int, Answer | None] = attrs.field(factory=dict)
    _next: int = 1
    _rest: bytes = b""
    _changed: trio.Event = attrs.field(factory=trio.Event)
    _writing: trio.Lock = attrs.field(factory=trio.Lock)

    async def run(self) -> None:
        """Read until the shim's stdout ends."""
        while data := await self._receive():
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))
            self._changed.set()
            self._changed = trio.Event()

    async def _receive(self) -> bytes:
        try:
            return bytes(await self.child.process.stdout.receive_some(1 << 18))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def _hear(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self.progress += 1
            return
        id_ = message.get("id")
        if id_ not in self._open or self._open[id_] is not None:
            self.unasked.append(id_)
            return
        self._open[id_] = _answer(message)
        self.answered += 1
        self.last_answer_at = trio.current_time()

    async def greet(self) -> None:
        """Raises NotStarted."""
        hello = await self.request("initialize", _HELLO)
        await self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        if await self.answer(hello) is None:
            raise NotStarted(f"the shim does not answer: {self.child.complained()}")

    async def request(self, method: str, params: dict[str, Any]) -> int:
        id_, self._next = self._next, self._next + 1
        self._open[id_] = None
        await self._write({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        return id_

    async def call(self, tool: str, **arguments: Any) -> int:
        return await self.request("tools/call", {"name": tool, "arguments": arguments})

    async def cancel(self, id_: int) -> None:
        """The request is no longer open: whatever comes of it is unasked."""
        del self._open[id_]
        params = {"requestId": id_}
        await self._write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    async def _write(self, message: dict[str, Any]) -> None:
        async with self._writing:
            await self.child.process.stdin.send_all(json.dumps(message).encode() + b"\n")

    def has_answer(self, id_: int) -> bool:
        return self._open[id_] is not None

    async def wait_any(self, ids: Sequence[int]) -> None:
        """Return when one of these is answered, or after a second."""
        with trio.move_on_after(1):  # noqa: ASYNC912  # it returns, or it waits
            while not any(map(self.has_answer, ids)):
                await self._changed.wait()

    async def answer(self, id_: int, within: float = PATIENCE_S) -> Answer | None:
        """The answer, after which the request is forgotten; None if none came."""
        with trio.move_on_after(within):  # noqa: ASYNC912  # it returns, or it waits
            while self._open[id_] is None:
                await self._changed.wait()
        return self._open.pop(id_)


def _answer(message: dict[str, Any]) -> Answer:
    at = trio.current_time()
    if "error" in message:
        return Answer(at, "JSONRPC", str(message["error"]))
    result = message["result"]
    fault = result.get("_meta", {}).get("exai/error", {})
    code = fault.get("code", "UNKNOWN") if result.get("isError") else ""
    texts = [part.get("text", "") for part in result.get("content", [])]
    return Answer(at, code, "".join(texts))
