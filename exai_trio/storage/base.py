"""What the rest of EXAI asks of a store: conversations, kept across restarts. No SQL here."""

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
