"""What a client's link tells whoever shows the terminal. Pure: no trio, no clock, no I/O."""

from typing import Any, Literal, Protocol

import attrs

from exai_trio import structs
from exai_trio.wire.terminal_errors import TerminalError

from .reconnect_rules import ReconnectRules


@structs.frozen(kw_only=True)
class Outcome:
    """How an attachment has ended: with the program (`exit`), by another connection in our place, or refused."""

    kind: Literal["exited", "superseded", "refused"]
    exit: dict[str, Any] = attrs.field(factory=dict[str, Any])
    fault: TerminalError | None = None


class View(Protocol):
    """Where a terminal is shown."""

    async def show_some(self, data: bytes) -> int:
        """Show the beginning of it; how many bytes that was. Cancelling shows nothing."""
        ...

    def lost(self, count: int) -> None:
        """So many bytes of output are gone: what follows stands on a screen that is reset."""
        ...

    def resized(self, cols: int, rows: int) -> None: ...

    def away(self, why: str, rules: ReconnectRules) -> None: ...

    def back(self) -> None: ...

    def refused(self, fault: TerminalError) -> None:
        """Something that was typed was not taken, or the like; the attachment goes on."""
        ...
