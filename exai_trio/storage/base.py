"""What the rest of EXAI asks of a store: conversations and workflow steps, kept across restarts. No SQL here."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import attrs


@attrs.frozen(kw_only=True)
class Turn:
    """One message of a conversation. `at` is unix seconds, UTC. `extra` is plain JSON data (reasoning, files, usage)."""

    role: Literal["user", "assistant"]
    text: str
    tool: str
    model: str = ""
    provider: str = ""
    at: float
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


@attrs.frozen(kw_only=True)
class Conversation:
    """A thread of turns under its continuation id (uuid4). `expires_at` is unix seconds."""

    id: str
    created_at: float
    expires_at: float
    turns: tuple[Turn, ...] = ()


@attrs.frozen(kw_only=True)
class Thread:
    """A conversation in a list: how it opens, how many turns it has, when the last one was (unix seconds)."""

    id: str
    opening: str
    turns: int
    last_at: float


@attrs.frozen(kw_only=True)
class Step:
    """One thing that a workflow tool noted in a conversation: plain JSON `data`, whose shape is the tool's own."""

    tool: str
    at: float
    data: Mapping[str, Any]


class ConversationStore(Protocol):
    """Raises StorageError when the store cannot be read or written; cancelling leaves a write done or not done, never half."""

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        """The conversation with its turns in order, or None if there is none or it has expired at `now`."""
        ...

    async def append(
        self, continuation_id: str, turns: tuple[Turn, ...], now: float, expires_at: float
    ) -> int:
        """Add turns at the end, making the conversation if needed, in one transaction. Returns how many turns it has then."""
        ...

    async def recent(self, now: float, most: int) -> tuple[Thread, ...]:
        """At most so many that have not expired at `now`, the one that was used last first."""
        ...

    async def sweep(self, now: float) -> int:
        """Delete what has expired. Returns how many conversations went."""
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
        """Add a step at the end, making the conversation if needed. Returns all steps there are then, in one transaction."""
        ...


class Store(ConversationStore, WorkflowStore, Protocol):
    """Everything that is kept under a continuation id."""


@attrs.frozen(kw_only=True)
class Upload:
    """A file that EXAI gave to a provider. `account` tells one key of one service from another; times are unix seconds."""

    provider: str
    account: str
    file_id: str
    sha256: str
    purpose: str
    filename: str
    size: int
    uploaded_at: float
    used_at: float


class FileRegistry(Protocol):
    """Which files EXAI gave to providers, across turns, tools, windows and restarts. Raises and cancels as a ConversationStore does."""

    async def find_upload(
        self, provider: str, account: str, sha256: str, purpose: str
    ) -> Upload | None:
        """The newest upload of that content."""
        ...

    async def note_upload(self, upload: Upload) -> None:
        """Add it, or put it in the place of the one with its id."""
        ...

    async def uploads(self, provider: str, account: str) -> tuple[Upload, ...]:
        """Oldest first."""
        ...

    async def forget_upload(self, provider: str, account: str, file_id: str) -> None:
        """It is gone at the provider; forgetting one that is not known is no fault."""
        ...


class TokenRatios(Protocol):
    """How many tokens a model counts for each that is estimated. Raises and cancels as a ConversationStore does."""

    async def all(self) -> Mapping[str, float]:
        """By the model's full name, the one that changed last at the end."""
        ...

    async def keep(self, model: str, ratio: float, now: float) -> None:
        """In place of what was kept of that model. Of very many models only the newest stay."""
        ...
