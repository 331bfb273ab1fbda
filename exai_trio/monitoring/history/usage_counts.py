"""What was used and is not written yet: events added up by hour, principal, project, tool and model. Pure: `now` is handed in."""

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.events import CallEnded, RequestEnded
from exai_trio.observability.meters.families import OTHER
from exai_trio.storage.watching.metric_history import Used

_HOUR_S: Final = 3600
MOST_WAITING: Final = 10_000  # rows of about 500 bytes
_Key = tuple[int, str, str, str, str, str]


@structs.define
class _Sums:
    calls: int = 0
    failures: int = 0
    tokens: list[int] | None = None
    cost: float | None = None
    unpriced: int = 0


@structs.define(eq=False)
class UsageCounts:
    """A sink. Calls and failures are those of ended calls; tokens and costs those of all requests at providers, also of calls that were
    left to the next daemon, and of the daemon's own. `now` gives unix seconds."""

    now: Callable[[], float]
    dropped: int = 0
    _waiting: dict[_Key, _Sums] = attrs.field(factory=dict[_Key, _Sums])

    def takes(self) -> Takes:
        """What becomes of events here."""
        return {CallEnded: self.call_ended, RequestEnded: self.request_ended}

    def call_ended(self, call: CallEnded) -> None:
        sums = self._of(call, call.tool)
        sums.calls += 1
        if call.code:
            sums.failures += 1

    def request_ended(self, request: RequestEnded) -> None:
        if request.input_tokens is None:
            return
        sums = self._of(request, request.tool)
        counted = (
            request.input_tokens,
            request.cached_tokens or 0,
            request.output_tokens or 0,
            request.reasoning_tokens or 0,
        )
        before = sums.tokens or (0, 0, 0, 0)
        sums.tokens = [one + more for one, more in zip(before, counted, strict=True)]
        if request.cost is None:
            sums.unpriced += 1
        else:
            sums.cost = (sums.cost or 0.0) + request.cost

    def _of(self, event: CallEnded | RequestEnded, tool: str) -> _Sums:
        hour = int(self.now() // _HOUR_S) * _HOUR_S
        key = (hour, event.principal, event.project, tool, event.model, event.currency)
        found = self._waiting.get(key)
        if found is None:
            if len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                key = (hour, OTHER, OTHER, OTHER, OTHER, event.currency)
            found = self._waiting.setdefault(key, _Sums())
        return found

    def dropped_by_sink(self) -> Mapping[tuple[str, ...], float]:
        """Events that are counted, but under nobody's name."""
        return {("usage",): self.dropped}

    def take(self) -> tuple[Used, ...]:
        """All that waits, which waits no more."""
        waiting, self._waiting = self._waiting, {}
        return tuple(_row(key, sums) for key, sums in waiting.items())

    def give_back(self, rows: tuple[Used, ...]) -> None:
        """What could not be written."""
        for row in rows:
            key = (row.hour, row.principal, row.project, row.tool, row.model, row.currency)
            sums = self._waiting.setdefault(key, _Sums())
            sums.calls += row.calls
            sums.failures += row.failures
            sums.unpriced += row.unpriced
            if row.input_tokens is not None:
                told = (
                    row.input_tokens,
                    row.cached_tokens,
                    row.output_tokens,
                    row.reasoning_tokens,
                )
                before = sums.tokens or (0, 0, 0, 0)
                sums.tokens = [one + (more or 0) for one, more in zip(before, told, strict=True)]
            if row.cost is not None:
                sums.cost = (sums.cost or 0.0) + row.cost


def _row(key: _Key, sums: _Sums) -> Used:
    hour, principal, project, tool, model, currency = key
    tokens = sums.tokens or (None, None, None, None)
    return Used(
        hour=hour,
        principal=principal,
        project=project,
        tool=tool,
        model=model,
        currency=currency,
        calls=sums.calls,
        failures=sums.failures,
        input_tokens=tokens[0],
        cached_tokens=tokens[1],
        output_tokens=tokens[2],
        reasoning_tokens=tokens[3],
        cost=sums.cost,
        unpriced=sums.unpriced,
    )
