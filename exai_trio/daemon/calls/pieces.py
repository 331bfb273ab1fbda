"""Pieces of an answer that come at one moment, handed on as one: each has a frame of its own, which its client has to read."""

from collections.abc import Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.tools.envelope import whole_characters


@structs.define(eq=False)
class Pieces:
    """`tell` is given what came since the last time, and how often it was told before: in the next turn of the loop, or `now`."""

    tell: Callable[[int, str], None]
    _told: int = 0
    _waiting: list[str] = attrs.field(factory=list[str])

    def add(self, text: str) -> None:
        if not self._waiting:
            trio.lowlevel.current_trio_token().run_sync_soon(self.now)
        self._waiting.append(text)

    def now(self) -> None:
        """Half characters are made whole: what cannot be encoded would end the loop's own task."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.tell(self._told, whole_characters("".join(waiting)))
            self._told += 1
