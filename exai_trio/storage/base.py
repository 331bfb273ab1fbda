"""What the rest of EXAI asks of a store: conversations and workflow steps, kept across restarts.

No SQL here. What is kept belongs to a principal, and is asked for in its name: another's is as if it were not there.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol, TypeVar

import attrs

from exai_trio import structs

# What a sweep has marked is there for so long, in seconds, before it is gone for good.
SWEEP_GRACE_S: Final = 24 * 3600.0

T_co = TypeVar("T_co", covariant=True)


class Owned(Protocol[T_co]):
    """Something that is kept for many principals."""

    def of(self, principal: str) -> T_co:
        """What is this principal's alone."""
        ...


@structs.frozen(kw_only=True)
class Turn:
    """One message of a conversation. `at` is unix seconds, UTC. `extra` is plain JSON data (reasoning, files, usage).

    `key` names it in the whole store, so that it is kept once, however often it is added; "" names nothing.
    """

    role: Literal["user", "assistant"]
    text: str
    tool: str
    model: str = ""
    provider: str = ""
    at: float
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    key: str = ""


@structs.frozen(kw_only=True)
class Conversation:
    """A thread of turns under its continuation id (uuid4). `expires_at` is unix seconds; `notice` says why newer turns may be missing."""

    id: str
    created_at: float
    expires_at: float
    turns: tuple[Turn, ...] = ()
    notice: str = ""


@structs.frozen(kw_only=True)
class Summary:
    """A conversation at a glance. `opening` begins its first question; `name` may be ""; `last_at` is its newest turn or step."""

    id: str
    name: str
    created_at: float
    expires_at: float
    turns: int
    tool: str
    model: str
    opening: str
    last_at: float


@structs.frozen(kw_only=True)
class Step:
    """One thing that a workflow tool noted in a conversation: plain JSON `data`, whose shape is the tool's own; `key` as a turn's."""

    tool: str
    at: float
    data: Mapping[str, Any]
    key: str = ""


class ConversationStore(Protocol):
    """Raises StorageError when the store cannot be read or written; cancelling leaves a write done or not done, never half."""

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        """The conversation with its turns in order, or None if there is none or it has expired at `now`."""
        ...

    async def append(
        self,
        continuation_id: str,
        turns: tuple[Turn, ...],
        now: float,
        expires_at: float,
        step: "Step | None" = None,
    ) -> int:
        """Add turns at the end, making the conversation if needed, in one transaction. Returns how many turns it has then.

        A turn whose key is kept already is left out. One that has expired meanwhile goes on. A `step` is added with them
        (PostgreSQL: right after them), never without them. Raises StorageError if the conversation is another's.
        """
        ...

    async def kept_under(self, keys: tuple[str, ...], now: float) -> str | None:
        """The conversation that has a turn or a step with one of these keys."""
        ...


class WorkflowStore(Protocol):
    """Steps of workflow tools, kept with their conversation and as long as it. A step is added, never changed.

    So steps that come at the same time cannot overwrite each other: they stand in the order in which they were added.
    Raises and cancels as a ConversationStore does.
    """

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        """All steps of all tools in the order in which they were added; none if the conversation has expired at `now`."""
        ...

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        """Add a step at the end, making the conversation if needed, as turns are added. Returns all steps there are then, in
        one transaction."""
        ...


class Store(ConversationStore, WorkflowStore, Protocol):
    """Everything that is kept under a continuation id."""


class Conversations(Owned[Store], Protocol):
    """The stores of all principals."""

    async def sweep(self, now: float) -> int:
        """Mark what has expired, and delete what was marked SWEEP_GRACE_S ago and has not come back since. Returns how many
        conversations are gone for good.

        Only a clock that is trusted may be given: marks that it set too early are taken back by a sweep at the right time.
        Cancelling leaves it done whole, or not at all.
        """
        ...

    async def newest_at(self) -> float | None:
        """The time of the newest thing that is kept, of whatever kind, or of the last `note_time`; None in an empty store.
        Cancelling changes nothing."""
        ...

    async def note_time(self, now: float) -> None:
        """This clock was right. Cancelling leaves open whether it is noted."""
        ...


class Threads(Protocol):
    """Conversations as a person looks after them: listed, named, copied, deleted. Those that have expired are not there.

    Raises and cancels as a ConversationStore does.
    """

    async def recent(self, now: float, most: int | None = None) -> tuple[Summary, ...]:
        """At most so many, the one that was used last first."""
        ...

    async def find(self, wanted: str, now: float) -> tuple[str, ...]:
        """The ids that it may mean: the one with that id, else the one so named, else those that begin with it."""
        ...

    async def named(self, name: str, now: float) -> str | None:
        """The id of the one with that name."""
        ...

    async def name(self, continuation_id: str, name: str, now: float) -> bool:
        """Name it, or take its name away with "". False if there is none with that id, or another one has that name."""
        ...

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> bool:
        """Copy all turns and workflow steps to a new id; the two go on apart. False if there is none to copy."""
        ...

    async def delete(self, continuation_id: str, now: float) -> bool:
        """Returns whether it was there."""
        ...


class TokenRatios(Protocol):
    """How many tokens a model counts for each that is estimated. Raises and cancels as a ConversationStore does."""

    async def all(self) -> Mapping[str, float]:
        """By the model's full name, the one that changed last at the end."""
        ...

    async def keep(self, model: str, ratio: float, now: float) -> None:
        """In place of what was kept of that model. Of very many models only the newest stay."""
        ...
