"""Of which calls a client may have told handles of its own. Pure: no trio, no clock, no I/O.

A shim that hears nothing of its daemon gives handles itself, and says of which calls with each acknowledgement. Of what was
acknowledged otherwise (by a hello, by an older client) nobody knows.
"""

from collections.abc import Iterable
from typing import Final

from exai_trio import structs
from exai_trio.storage.journal import NoHandles

_NONE: Final = frozenset[str]()


@structs.define(eq=False)
class HandlesTold:
    """What one client has said since the journal was last told: one stretch of numbers, and the calls of which handles were told, as
    the journal names them. `in_doubt`: another process had the session, and may tell handles of what was open then."""

    in_doubt: bool = False
    _above: int = 0
    _upto: int = 0
    _handles: frozenset[str] = _NONE

    def note(self, before: int, upto: int, handles: Iterable[str], *, is_any_open: bool) -> None:
        """The numbers above `before`, up to this one, are acknowledged. `is_any_open`: not all calls are over and acknowledged."""
        if self.in_doubt:
            self.in_doubt = is_any_open
            return
        if self._upto < before:  # what lies between was acknowledged without a word
            self._above, self._handles = before, _NONE
        self._upto = upto
        self._handles = self._handles.union(handles)

    def sure(self, acked: int) -> NoHandles | None:
        """What is sure of the outcomes up to this number, which is the last that was acknowledged; None if nothing is."""
        if self.in_doubt or self._upto < acked:
            return None
        return NoHandles(self._above, tuple(sorted(self._handles)))

    def kept(self, acked: int) -> None:
        """The journal has it, up to this number."""
        self._above = max(self._above, acked)
        if self._upto <= acked:
            self._handles = _NONE
