"""The log of who had a terminal, when and from where: never what was typed or shown."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import trio

from exai_trio import structs
from exai_trio.observability.line_file import LineFile
from exai_trio.observability.times import rfc3339
from exai_trio.system.change import Change

log = logging.getLogger("exai.terminals")

_FILE = "terminals.jsonl"
_AGAIN_S = 5.0  # after a disk that took nothing


@structs.define(eq=False)
class TerminalAudit:
    """Lines of created, attached, detached, refused and ended; they wait in memory until the disk has them."""

    lines: LineFile[dict[str, Any]]
    now: Callable[[], float]
    _change: Change = attrs.field(factory=Change)

    @classmethod
    def of(cls, logs: Path, now: Callable[[], float]) -> "TerminalAudit":
        return cls(LineFile(logs / _FILE), now)

    def note(self, event: str, **facts: Any) -> None:
        """One line, of facts about the session and never of its contents."""
        self.lines.add({"t": rfc3339(self.now()), "event": event, **facts})
        self._change.tell()

    async def run(self) -> None:
        """Write what waits until cancelled; then what waits is for `flush`."""
        while True:
            if not self.lines.waiting:
                await self._change.wait()
            if not await trio.to_thread.run_sync(self._flushed):
                await trio.sleep(_AGAIN_S)

    async def flush(self) -> None:
        """Write what waits. Cancelling leaves the write to its thread."""
        await trio.to_thread.run_sync(self._flushed, abandon_on_cancel=True)

    def _flushed(self) -> bool:
        """Whether the disk took it."""
        try:
            self.lines.flush()
        except OSError as fault:
            log.warning("terminal audit not written", extra={"fault": str(fault)})
            return False
        return True
