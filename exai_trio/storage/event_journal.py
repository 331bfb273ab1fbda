"""The writing half of a Journal: whatever is asked of it is an event, to be noted in whatever way.

And what a log of such events is folded into.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from exai_trio.storage.journal import Journal, KeptCall, KeptOutcome, NoHandles
from exai_trio.storage.journal_events import (
    Accepted,
    Acknowledged,
    AnyEvent,
    Finished,
    HandedOver,
    NumberedFrom,
    RunAgain,
)

Place = tuple[int, int]
"""A segment of the log, and where in it a record begins. Places rise in the order in which records were written."""

Name = tuple[str, str]
"""Session and request of a call."""

Events = Callable[[], Iterable[tuple[Place, AnyEvent]]]
"""Reads them from the log, in order, where it is called."""


class EventJournal(Journal, Protocol):
    """A Journal that notes events."""

    @abstractmethod
    async def note(self, event: AnyEvent) -> None:
        """It survives a kill of the process. Raises StorageError; cancelling leaves it noted or not noted."""
        ...

    def note_at_once(self, event: AnyEvent) -> bool:
        """Note it as `note` does, where nobody has to wait for that; else nothing is done, and it is to be noted by `note`."""
        del event
        return False

    async def accept(self, call: KeptCall) -> None:
        await self.note(Accepted(call))

    async def run_again(self, session: str, request: str) -> None:
        await self.note(RunAgain(session, request))

    def finish_at_once(self, session: str, request: str, outcome: KeptOutcome) -> bool:
        return self.note_at_once(Finished(session, request, outcome))

    async def finish(self, session: str, request: str, outcome: KeptOutcome) -> None:
        await self.note(Finished(session, request, outcome))

    async def hand_over(
        self, session: str, request: str, outcome: KeptOutcome, to: KeptCall
    ) -> None:
        await self.note(HandedOver(session, request, outcome, to))

    async def acknowledge(
        self, acks: Mapping[str, int], sure: Mapping[str, NoHandles] | None = None
    ) -> None:
        await self.note(Acknowledged(dict(acks), dict(sure or {})))

    async def number_from(self, session: str, base: int) -> None:
        await self.note(NumberedFrom(session, base))


class Backing(EventJournal, Protocol):
    """A journal that a log of events is folded into. Cancelling a question changes nothing."""

    async def has(self, session: str, request: str) -> bool:
        """Whether this call is kept here. Raises StorageError."""
        ...

    async def open_calls(self) -> tuple[Name, ...]:
        """The calls that have no outcome here. Raises StorageError."""
        ...

    async def folded(self) -> int:
        """The segments of the log up to this number are here. Raises StorageError."""
        ...

    async def fold(self, last: int, over: Sequence[Name], events: Events) -> None:
        """In one step: the events of the log's segments up to `last`, but for those that are here already; and nothing is kept
        of the calls that are over. Raises StorageError; cancelled, it is done or not done."""
        ...
