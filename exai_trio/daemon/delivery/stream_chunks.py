"""What a tool says of its answer in one turn of the loop, told as one chunk: each has a frame of its own, which its client has to read."""

import logging
from collections.abc import Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.tools.envelope import whole_characters

log = logging.getLogger("exai.calls")


@structs.define(eq=False)
class StreamChunks:
    """`tell` is given the number of a chunk, from 0, and its text: in the next turn of the loop, or when flushed."""

    tell: Callable[[int, str], None]
    _told: int = 0
    _waiting: list[str] = attrs.field(factory=list[str])
    _has_failed: bool = False

    def add(self, text: str) -> None:
        if not self._waiting:
            trio.lowlevel.current_trio_token().run_sync_soon(self.flush)
        self._waiting.append(text)

    def flush(self) -> None:
        """Tell what waits. Half characters are made whole: they cannot be encoded. A fault ends the stream, without a hole in it,
        and no more: the outcome has the whole text, and out of the loop's callback a fault would end the daemon."""
        waiting, self._waiting = self._waiting, []
        if not waiting or self._has_failed:
            return
        try:
            self.tell(self._told, whole_characters("".join(waiting)))
        except Exception:
            self._has_failed = True
            log.exception("a chunk of an answer was not told, nor are those behind it")
        else:
            self._told += 1
