"""Continuation threads as the tools use them: open one, see what is in it, add an exchange. What is stored where is the store's."""

import uuid
from typing import Any

import attrs

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.storage.base import Turn
from exai_trio.tools.answers import Offer
from exai_trio.tools.declaration import Services

HOUR_S = 3600


@attrs.frozen(kw_only=True)
class Thread:
    """A conversation as one call finds it; a new one is not in the store before its first exchange."""

    id: str
    turns: tuple[Turn, ...] = ()

    @property
    def exchanges(self) -> int:
        return sum(turn.role == "user" for turn in self.turns)

    @property
    def last_model(self) -> str:
        """`provider/model` of the newest answer, or "" in a new thread."""
        for turn in reversed(self.turns):
            if turn.role == "assistant" and turn.model:
                return f"{turn.provider}/{turn.model}" if turn.provider else turn.model
        return ""

    def named(self, kind: str) -> list[str]:
        """The paths that its turns name under `kind` ("files" or "images"), oldest first."""
        return [path for turn in self.turns for path in turn.extra.get(kind, ())]


async def open_thread(services: Services, continuation_id: str) -> Thread:
    """The thread of that id, or a new one for "".

    Raises: NotFoundError if there is none (any more); ArgumentError if it has had all its exchanges; StorageError.
    """
    if not continuation_id:
        return Thread(id=str(uuid.uuid4()))
    found = await services.conversations.load(continuation_id, services.now())
    if found is None:
        hours = services.config.conversation_timeout_hours
        raise NotFoundError(
            f"No conversation has this continuation_id; conversations end {hours:g} h after their last turn."
            " Leave continuation_id out to begin a new one, and say again what it should know.",
            details={"field": "continuation_id"},
        )
    thread = Thread(id=found.id, turns=found.turns)
    most = services.config.max_conversation_turns
    if thread.exchanges >= most:
        raise ArgumentError(
            f"This conversation has had its {most} exchanges (MAX_CONVERSATION_TURNS)."
            " Leave continuation_id out to begin a new one.",
            details={"field": "continuation_id", "allowed": f"at most {most} exchanges"},
        )
    return thread


async def keep(services: Services, thread: Thread, exchange: tuple[Turn, Turn]) -> Offer | None:
    """Add a question and its answer, both or neither; say how to go on, or None if it was the last.

    Cancelling leaves the exchange kept or not kept. Raises: StorageError.
    """
    now = services.now()
    expires_at = now + services.config.conversation_timeout_hours * HOUR_S
    await services.conversations.append(thread.id, exchange, now, expires_at)
    left = services.config.max_conversation_turns - thread.exchanges - 1
    return Offer(continuation_id=thread.id, remaining_turns=left) if left > 0 else None


def extra(**facts: object) -> dict[str, Any]:
    """What a turn carries beside its text; empty facts are left out."""
    return {name: value for name, value in facts.items() if value}
