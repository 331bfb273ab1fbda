"""What tells a slow peer from a dead one: limits that begin again with every sign of life."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import trio

from exai_trio import structs

_SHOW_S: Final = 0.25  # between signs that a long message arrives


@structs.frozen(eq=False)
class _Limit:
    """`scope` is cancelled `seconds` after the last renewal."""

    scope: trio.CancelScope
    seconds: float

    def renew(self) -> None:
        self.scope.deadline = trio.current_time() + self.seconds


@structs.define(eq=False, weakref_slot=False)  # small: one for each connection
class Life:
    """The signs of life of one connection. While it `is_deaf`, a message waits to be taken, and nothing can be heard behind it."""

    is_deaf: bool = False
    _asking: _Limit | None = None
    _writing: _Limit | None = None
    _shown_at: float = math.inf

    @property
    def is_writing(self) -> bool:
        return self._writing is not None

    @contextmanager
    def asking(self, limit_s: float) -> Generator[trio.CancelScope]:
        """Wait for the answer to a ping: cancelled once nothing was heard for `limit_s`. One at a time."""
        with trio.move_on_after(limit_s) as scope:
            self._asking = _Limit(scope, limit_s)
            try:
                yield scope
            finally:
                self._asking = None

    @contextmanager
    def writing(self, limit_s: float) -> Generator[None]:
        """Write: cancelled once the peer has taken nothing for `limit_s`. One at a time."""
        with trio.move_on_after(limit_s) as scope:
            self._writing = _Limit(scope, limit_s)
            try:
                yield
            finally:
                self._writing = None

    def heard(self) -> None:
        """Anything at all."""
        if self._asking is not None:
            self._asking.renew()

    def read(self) -> None:
        """The peer reads: it took a part of what is written, or said so by a pong."""
        if self._writing is not None:
            self._writing.renew()
        if self.is_deaf:
            self.heard()

    def is_to_be_shown(self, *, begins: bool) -> bool:
        """Whether to tell the peer that a long message arrives, of which another part came."""
        now = trio.current_time()
        if not begins and now < self._shown_at + _SHOW_S:
            return False
        self._shown_at = now
        return not begins
