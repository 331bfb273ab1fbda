"""What is kept of incidents, and what is asked of their store.

No SQL here. Times are unix seconds.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import attrs

from exai_trio import structs

State = Literal["waiting", "running", "done", "failed", "over_budget"]
Change = Literal["new", "reopened", "counted"]
MOST_OPEN: Final = 500
MOST_RESOLVED: Final = 2_000
MOST_CALLS: Final = 20  # of one incident


@structs.frozen(kw_only=True)
class Occurrence:
    """The same fault, `count` times until `last_at`; `context` is plain JSON data of the first of these, `calls` are correlation ids of the
    newest."""

    error_hash: str
    kind: str
    severity: str
    error_type: str
    message: str
    version: str
    context: dict[str, Any] = attrs.field(factory=dict[str, Any])
    count: int = 1
    first_at: float
    last_at: float
    calls: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Short, for people."""
        return id_of(self.error_hash)


@structs.frozen(kw_only=True)
class Seen:
    """A call in which an incident was seen, by its correlation id."""

    correlation_id: str
    at: float


def id_of(error_hash: str) -> str:
    return error_hash.partition("-")[2][:12]


@structs.frozen(kw_only=True)
class Noted:
    """What an occurrence was to its incident."""

    id: str
    change: Change
    kind: str
    message: str


@structs.frozen(kw_only=True)
class Incident:
    """One row. None and "" are what is not known; `requested` says that somebody asked for it to be investigated."""

    id: str
    error_hash: str
    kind: str
    severity: str
    error_type: str
    message: str
    context: dict[str, Any]
    version: str
    state: State
    occurrence_count: int
    created_at: float
    last_occurrence_at: float
    reopened: int
    resolved: bool
    resolution_notes: str
    resolved_at: float | None
    resolved_by: str
    resolved_in: str
    attempts: int
    requested: bool
    lease_until: float | None
    result: dict[str, Any] | None
    fix: dict[str, Any] | None
    model_used: str
    duration_ms: float | None
    tokens: int
    cost: float | None


@structs.frozen(kw_only=True)
class Outcome:
    """What came of one investigation."""

    state: State
    result: dict[str, Any] | None = None
    fix: dict[str, Any] | None = None
    model: str = ""
    duration_ms: float = 0.0
    tokens: int = 0
    cost: float | None = None


@structs.frozen(kw_only=True)
class Spent:
    """What the daemon asked of models by itself, and what that took."""

    requests: int
    tokens: int


class IncidentStore(Protocol):
    """Raises StorageError; cancelling leaves a change done or not done."""

    async def note(self, occurrences: Sequence[Occurrence]) -> tuple[Noted, ...]:
        """Count all of them in one transaction. A resolved one is open again, from the version on in which it was to be gone."""
        ...

    async def newest(
        self,
        most: int,
        *,
        resolved: bool | None = None,
        before: float | None = None,
        kind: str | None = None,
        text: str = "",
    ) -> tuple[Incident, ...]:
        """By their last occurrence, the newest first; those before `before`, of that kind, with that text in id, type or message."""
        ...

    async def calls_of(self, incident_id: str) -> tuple[Seen, ...]:
        """The newest calls in which it was seen, the newest first."""
        ...

    async def of_call(self, correlation_id: str) -> tuple[Incident, ...]:
        """What was seen in that call."""
        ...

    async def get(self, incident_id: str) -> tuple[Incident, ...]:
        """Those whose ids begin so."""
        ...

    async def resolve(
        self, incident_id: str, *, notes: str, by: str, version: str, now: float
    ) -> bool:
        """False if there is none of this id, or it was resolved before."""
        ...

    async def reopen(self, incident_id: str) -> bool:
        """False if there is none of this id that was resolved."""
        ...

    async def request(self, incident_id: str) -> bool:
        """Have it investigated. False if there is none of this id."""
        ...

    async def counts(self) -> dict[str, int]:
        """How many are open, by kind."""
        ...


class Investigations(Protocol):
    """Who may investigate what. Raises StorageError; cancelling leaves a change done or not done."""

    async def is_claimable(self, now: float, *, unasked: bool, tries: int) -> bool:
        """Whether a claim would find one, or one whose time is over."""
        ...

    async def claim(
        self, now: float, for_s: float, *, unasked: bool, tries: int
    ) -> Incident | None:
        """One that waits, `running` from now on for nobody else: one that was asked for first, others only if `unasked`. One whose
        holder has not come back in its time is given with the state `running`; after so many tries it has failed. A fault of the
        investigating is never one."""
        ...

    async def put_off(self, *, unasked: bool) -> None:
        """Those that would be claimed are over the budget until the next claim."""
        ...

    async def finish(self, incident_id: str, outcome: Outcome, now: float) -> None: ...

    async def spent_since(self, at: float) -> Spent: ...
