"""The ended calls that are kept: figures of each, for as long as monitoring looks back.

No SQL here.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.observability.events import CallEnded
from exai_trio.storage.call_pages import (
    CallFilter,
    CallPages,
    CallsAt,
    NumberedCall,
    page_of,
    series_of,
)

KEPT_S: Final = 30 * 24 * 3600.0
MOST_KEPT: Final = 200_000


class EndedCalls(CallPages, Protocol):
    """Raises StorageError when the store cannot be read or written; cancelling leaves a write done or not done, never half."""

    async def add(self, calls: Sequence[CallEnded]) -> None:
        """All of them, in one transaction."""
        ...

    async def since(self, at: float) -> tuple[CallEnded, ...]:
        """Those that were accepted at that time or later, in the order in which they were added."""
        ...

    async def tokens_since(self, at: float) -> dict[str, int]:
        """Input and output tokens, by principal, of those."""
        ...

    async def sweep(self, before: float | None) -> int:
        """Delete what was accepted before that time, if one is given, and the oldest beyond MOST_KEPT. Returns how many went."""
        ...


@structs.define
class ForgottenCalls:
    """EndedCalls that end with the process."""

    most: int = MOST_KEPT
    _kept: list[CallEnded] = attrs.field(factory=list[CallEnded])
    _gone: int = 0

    async def add(self, calls: Sequence[CallEnded]) -> None:
        await trio.lowlevel.checkpoint()
        self._kept += calls

    async def since(self, at: float) -> tuple[CallEnded, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(call for call in self._kept if call.started_at >= at)

    async def tokens_since(self, at: float) -> dict[str, int]:
        spent: Counter[str] = Counter()
        for call in await self.since(at):
            spent[call.principal] += (call.input_tokens or 0) + (call.output_tokens or 0)
        return dict(spent)

    async def page(
        self, wanted: CallFilter, before: int | None, most: int
    ) -> tuple[NumberedCall, ...]:
        await trio.lowlevel.checkpoint()
        return page_of(self._numbered(), wanted, before, most)

    async def find(self, call_id: str) -> NumberedCall | None:
        await trio.lowlevel.checkpoint()
        found = [each for each in self._numbered() if each.call.id == call_id]
        return found[-1] if found else None

    async def series(
        self, since: float, step_s: float, provider: str | None
    ) -> tuple[CallsAt, ...]:
        await trio.lowlevel.checkpoint()
        return series_of(self._kept, since, step_s, provider)

    def _numbered(self) -> list[NumberedCall]:
        return [NumberedCall(i, call) for i, call in enumerate(self._kept, self._gone + 1)]

    async def sweep(self, before: float | None) -> int:
        await trio.lowlevel.checkpoint()
        young = [call for call in self._kept if before is None or call.started_at >= before]
        gone, self._kept = len(self._kept), young[-self.most :]
        self._gone += gone - len(self._kept)
        return gone - len(self._kept)
