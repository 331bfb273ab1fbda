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
from exai_trio.storage.journal_events import AnyEvent
from exai_trio.storage.postgres.database import Database
from exai_trio.storage.postgres.event_writer import EventWriter
from exai_trio.storage.postgres.trio_connection import Row
from exai_trio.storage.sqlite.error_kinds import NotKept

_FLUSH_S: Final = 5.0
_OF_SESSION: Final = """
    select request, principal, resumable, seq, frame, roots, timeout, at, attempts, lasting, outcome_seq, outcome_at, outcome_frame
    from public.journal_calls where executor = %s and session = %s order by number
"""


@structs.frozen
class PostgresJournal(EventJournal):
    """Made by `open_journal`, for the daemon of a home: it has the calls of that alone."""

    _database: Database
    _home: str
    _writer: EventWriter

    async def note(self, event: AnyEvent) -> None:
        if not await self._writer.write(event):
            raise NotKept("The journal does not know this call.")

    async def names(self, principal: str) -> tuple[Name, ...]:
        rows = await self._database.ask(
            "select session, request from public.journal_calls"
            " where executor = %s and principal = any(%s) order by number",
            self._home,
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
        calls = await self._database.ask(_OF_SESSION, self._home, session)
        if not calls:
            return None
        numbers = await self._database.ask(
            "select acked, base from public.journal_numbers where executor = %s and session = %s",
            self._home,
            session,
        )
        acked, base = numbers[0] if numbers else (0, 0)
        return KeptSession(
            calls=tuple(_call(session, row) for row in calls), acked=acked, base=base
        )

    async def sweep_calls(self, now: float | None, unnumbered_s: float) -> int:
        ((gone,),) = await self._database.ask(
            "select public.exai_sweep_calls(%s, %s, %s, %s, %s)",
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
async def open_journal(database: Database, home: str) -> AsyncGenerator[PostgresJournal]:
    """Until the block is left; what was accepted is written then, for at most _FLUSH_S, also when it is cancelled."""
    writer = EventWriter.of(database, home)
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
    fields: dict[str, Any] = dict(zip(_FIELDS, row[:10], strict=True))
    fields["roots"] = tuple(fields["roots"])
    seq, at, frame = row[10:]
    outcome = None if frame is None else KeptOutcome(seq=seq, at=at, frame=frame)
    return KeptCall(session=session, outcome=outcome, **fields)


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
