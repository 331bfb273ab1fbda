"""Pages of the ended calls: which are wanted, and the newest of them first.

No SQL here.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from exai_trio import structs
from exai_trio.observability.events import CallEnded

# The fields of a filter that must be equal to a call's own.
EQUAL: Final = (
    "tool",
    "model",
    "code",
    "category",
    "principal",
    "project",
    "session",
    "correlation_id",
)


@structs.frozen(kw_only=True)
class CallFilter:
    """What is None does not matter; code "" are the answers. Durations are milliseconds, times unix seconds."""

    tool: str | None = None
    model: str | None = None
    code: str | None = None
    category: str | None = None
    principal: str | None = None
    project: str | None = None
    session: str | None = None
    correlation_id: str | None = None
    failed: bool | None = None
    least_ms: float | None = None
    most_ms: float | None = None
    since: float | None = None
    until: float | None = None

    def matches(self, call: CallEnded) -> bool:
        return (
            all(_same(getattr(self, name), getattr(call, name)) for name in EQUAL)
            and _same(self.failed, call.code != "")
            and _within(call.duration_ms, self.least_ms, self.most_ms)
            and _within(call.started_at, self.since, self.until)
        )


def _same(wanted: object, given: object) -> bool:
    return wanted is None or wanted == given


def _within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


@structs.frozen
class NumberedCall:
    """Numbers grow in the order in which calls ended."""

    number: int
    call: CallEnded


@structs.frozen
class CallsAt:
    """The calls that began from `at` (unix seconds) until the next step; `mean_ms` is of their durations."""

    at: float
    calls: int
    failures: int
    mean_ms: float


class CallPages(Protocol):
    """Raises StorageError when the store cannot be read; cancelling changes nothing."""

    async def page(
        self, wanted: CallFilter, before: int | None, most: int
    ) -> tuple[NumberedCall, ...]:
        """At most so many, the newest first, of those with a number below `before`."""
        ...

    async def find(self, call_id: str) -> NumberedCall | None:
        """The newest one with that id."""
        ...

    async def series(
        self, since: float, step_s: float, provider: str | None
    ) -> tuple[CallsAt, ...]:
        """By time; of one provider's calls, or of all. Steps without a call are left out."""
        ...


def series_of(
    calls: Iterable[CallEnded], since: float, step_s: float, provider: str | None
) -> tuple[CallsAt, ...]:
    """The same of calls that are in memory."""
    steps: dict[int, list[CallEnded]] = {}
    for call in calls:
        if call.started_at >= since and provider in (None, call.provider):
            steps.setdefault(int(call.started_at // step_s), []).append(call)
    return tuple(
        CallsAt(
            step * step_s,
            len(its),
            sum(call.code != "" for call in its),
            sum(call.duration_ms for call in its) / len(its),
        )
        for step, its in sorted(steps.items())
    )


def page_of(
    calls: Iterable[NumberedCall], wanted: CallFilter, before: int | None, most: int
) -> tuple[NumberedCall, ...]:
    """The same of calls that are in memory, in any order."""
    found = [
        each
        for each in calls
        if (before is None or each.number < before) and wanted.matches(each.call)
    ]
    return tuple(sorted(found, key=lambda each: -each.number)[:most])
