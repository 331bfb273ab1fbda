"""JSON, a line each, in both directions over a child's pipes."""

import json
from collections.abc import Callable
from typing import Any

import attrs
import trio
from chaos.children import Child

PATIENCE_S = 45.0


@attrs.define(eq=False)
class Lines:
    child: Child
    _changed: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, hear: Callable[[dict[str, Any]], None]) -> None:
        """Hand each object on until the child's stdout ends."""
        rest = b""
        while data := await self._receive():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):
                    hear(json.loads(line))
            self._changed.set()
            self._changed = trio.Event()

    async def _receive(self) -> bytes:
        try:
            return bytes(await self.child.process.stdout.receive_some(1 << 18))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def write(self, message: dict[str, Any]) -> None:
        await self.child.process.stdin.send_all(json.dumps(message).encode() + b"\n")

    async def wait_until(self, ready: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):  # noqa: ASYNC912  # it returns, or it waits
            while not ready():
                await self._changed.wait()
