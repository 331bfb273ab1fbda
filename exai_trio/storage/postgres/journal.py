"""The journal of calls in PostgreSQL: it is written by one task, and read by whoever asks."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from exai_trio import structs
from exai_trio.principals import names_of
from exai_trio.storage.base import SWEEP_GRACE_S
from exai_trio.storage.event_journal import EventJournal, Name
from exai_trio.storage.journal import KEPT_S, KeptCall, KeptOutcome, KeptSession
from exai_trio.storage.journal_events import (
    Accepted,
    AnyEvent,
    Finished,
    HandedOver,
    NumberedFrom,
    RunAgain,
)
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.event_writer import Entry, EventWriter
from exai_trio.storage.postgres.trio_connection import Row
from exai_trio.storage.shared.shared_calls import (
    UNNUMBERED,
    CallMoved,
    FinishedAs,
    SessionMoved,
)
from exai_trio.storage.sqlite.error_kinds import NotKept

_FLUSH_S: Final = 5.0
_OF_SESSION: Final = """
    select request, principal, resumable, seq, frame, roots, timeout, at, attempts, lasting, outcome_seq, outcome_at, outcome_frame
    from public.journal_calls where session = %s order by number
"""
_FIELDS: Final = (
    "request",
    "principal",
    "resumable",
    "seq",
    "frame",
    "roots",
    "timeout",
    "at",
    "attempts",
    "lasting",
)


@structs.frozen
class PostgresJournal(EventJournal):
    """Made by `open_journal`, for the daemon of a home: what it accepts, it runs. `_epoch` is that of `_session`; what is kept under any
    other name is nobody's to number."""

    _database: Database
    _home: str
    _writer: EventWriter
    _session: str = ""
    _epoch: int = 0

    @property
    def answers_lost(self) -> int:
        """How often it is not known whether what was noted is kept."""
        return self._writer.answers_lost

    def under(self, session: str, epoch: int) -> "PostgresJournal":
        """As the owner of this session writes it."""
        return PostgresJournal(self._database, self._home, self._writer, session, epoch)

    async def note(self, event: AnyEvent) -> None:
        became = await self._writer.write(self._entry(event))
        if became == "superseded":
            raise SessionMoved("Another daemon has this session; its client is there.")
        if became == "unknown" and isinstance(event, RunAgain | HandedOver):
            raise NotKept("The journal does not know this call.")
        if became == "stands" and isinstance(event, RunAgain | HandedOver):
            raise CallMoved("Another daemon has this call.")

    async def finish_under(self, entry: Entry) -> FinishedAs:
        """Of a call that is not kept it is nothing. Raises StorageError; cancelling leaves it written or not."""
        became = await self._writer.write(entry)
        return became if became in ("untold", "stands") else "kept"

    def _entry(self, event: AnyEvent) -> Entry:
        match event:
            case Accepted(call):
                return Entry(event, self._epoch_of(call.session))
            case HandedOver(session, _, _, to):
                return Entry(event, self._epoch_of(session), to.attempts if self._epoch else -1)
            case NumberedFrom(session, _) | Finished(session, _, _):
                return Entry(event, self._epoch_of(session))
            case _:
                return Entry(event)

    def _epoch_of(self, session: str) -> int:
        return self._epoch if session == self._session else 0

    async def names(self, principal: str) -> tuple[Name, ...]:
        rows = await self._database.ask(
            "select session, request from public.journal_calls where principal = any(%s) order by number",
            [*names_of(principal)],
        )
        return tuple((session, request) for session, request in rows)

    async def unfinished(self) -> tuple[str, ...]:
        rows = await self._database.ask(
            "select distinct session from public.journal_calls"
            " where executor = %s and outcome_frame is null order by session",
            self._home,
        )
        return tuple(session for (session,) in rows)

    async def session(self, session: str) -> KeptSession | None:
        """An outcome that its owner has not told yet is as if it were not there."""
        calls = await self._database.ask(_OF_SESSION, session)
        if not calls:
            return None
        numbers = await self._database.ask(
            "select acked, base from public.sessions where id = %s", session
        )
        acked, base = numbers[0] if numbers else (0, 0)
        return KeptSession(
            calls=tuple(_call(session, row) for row in calls), acked=acked, base=base
        )

    async def sweep_calls(self, now: float | None, unnumbered_s: float) -> int:
        ((gone,),) = await self._database.ask(
            "select public.exai_sweep_shared(%s, %s, %s, %s, %s)",
            self._home,
            now,
            KEPT_S,
            SWEEP_GRACE_S,
            unnumbered_s,
        )
        return int(gone)

    async def retire(self) -> None:
        """The next daemon of this home finds what is written here at any time."""
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_journal(
    database: Database, home: str, boot_id: str = ""
) -> AsyncGenerator[PostgresJournal]:
    """Until the block is left; what was accepted is written then, for at most _FLUSH_S, also when it is cancelled."""
    writer = EventWriter.of(database, home, boot_id)
    flushing = trio.CancelScope(shield=True)

    async def write_on() -> None:
        with flushing:
            await writer.run()

    async with trio.open_nursery() as writing:
        try:
            writing.start_soon(write_on)
            yield PostgresJournal(database, home, writer)
        finally:
            writer.close()
            flushing.deadline = trio.current_time() + _FLUSH_S


def _call(session: str, row: Row) -> KeptCall:
    seq, at, frame = row[10:]
    if frame is None or seq == UNNUMBERED:
        return open_call(session, row[:10])
    return open_call(session, row[:10], KeptOutcome(seq=seq, at=at, frame=frame))


def open_call(session: str, row: Row, outcome: KeptOutcome | None = None) -> KeptCall:
    """The call of these _FIELDS."""
    fields: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    fields["roots"] = tuple(fields["roots"])
    return KeptCall(session=session, outcome=outcome, **fields)
