"""Pieces of an answer that come at one moment, handed on as one: each has a frame of its own, which its client has to read."""

import logging
from collections.abc import Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.tools.envelope import whole_characters

log = logging.getLogger("exai.calls")


@structs.define(eq=False)
class Pieces:
    """`tell` is given what came since the last time, and how often it was told before: in the next turn of the loop, or `now`."""

    tell: Callable[[int, str], None]
    _told: int = 0
    _waiting: list[str] = attrs.field(factory=list[str])

    def add(self, text: str) -> None:
        if not self._waiting:
            trio.lowlevel.current_trio_token().run_sync_soon(self._soon)
        self._waiting.append(text)

    def now(self) -> None:
        """Half characters are made whole: they cannot be encoded."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.tell(self._told, whole_characters("".join(waiting)))
            self._told += 1

    def _soon(self) -> None:
        """A fault costs these pieces, no more: out of a callback it would end the whole loop. The outcome has the whole text."""
        try:
            self.now()
        except Exception:
            log.exception("pieces of an answer were not told")
