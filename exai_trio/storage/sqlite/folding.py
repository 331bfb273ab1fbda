"""Events of the journal as statements on its tables, one by one or as whole segments of the log."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exai_trio.storage.event_journal import Events, Name
from exai_trio.storage.journal import NoHandles
from exai_trio.storage.journal_events import (
    Accepted,
    Acknowledged,
    AnyEvent,
    Finished,
    HandedOver,
    NumberedFrom,
    RunAgain,
)
from exai_trio.storage.sqlite.error_kinds import NotKept
from exai_trio.storage.sqlite.journal_rows import insert_call, insert_outcome

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

_NOTE_ACK: Final = (
    "INSERT INTO journal_numbers (session, acked) SELECT ?1, ?2"
    " WHERE EXISTS (SELECT 1 FROM journal_calls WHERE session = ?1)"
    " ON CONFLICT (session) DO UPDATE SET acked = max(acked, excluded.acked)"
)
_LAST_NO_LONGER: Final = (
    "UPDATE journal_calls SET lasting = 0 WHERE session = ?1 AND lasting AND request IN"
    " (SELECT request FROM journal_outcomes WHERE session = ?1 AND seq > ?2 AND seq <= ?3)"
    " AND request NOT IN (SELECT value FROM json_each(?4))"
)
# One statement for all of them: each would give up the interpreter, and wait for it. CROSS: the list comes first.
_FORGET: Final = (
    "DELETE FROM journal_calls WHERE rowid IN (SELECT c.rowid FROM json_each(?) AS j CROSS JOIN journal_calls AS c"
    " ON c.session = json_extract(j.value, '$[0]') AND c.request = json_extract(j.value, '$[1]'))"
)


def apply(connection: "Connection", event: AnyEvent) -> None:
    """Raises NotKept where a call is to be ended that is not there."""
    match event:
        case Accepted(call):
            insert_call(connection, call)
        case RunAgain(session, request):
            connection.execute(
                "UPDATE journal_calls SET attempts = attempts + 1 WHERE session = ? AND request = ?",
                (session, request),
            )
        case Finished(session, request, outcome):
            _check_kept(connection, session, request)
            insert_outcome(connection, session, request, outcome)
        case HandedOver(session, request, outcome, to):
            _check_kept(connection, session, request)
            insert_outcome(connection, session, request, outcome)
            insert_call(connection, to)
        case Acknowledged(acks, sure):
            connection.executemany(_NOTE_ACK, list(acks.items()))
            connection.executemany(_LAST_NO_LONGER, _sure_rows(acks, sure))
        case NumberedFrom(session, base):
            connection.execute(
                "INSERT INTO journal_numbers (session, base) VALUES (?, ?)"
                " ON CONFLICT (session) DO UPDATE SET base = excluded.base",
                (session, base),
            )


def _sure_rows(acks: Mapping[str, int], sure: Mapping[str, NoHandles]) -> list[tuple[Any, ...]]:
    return [
        (session, told.above, acks[session], msgspec.json.encode(told.but_for).decode())
        for session, told in sure.items()
    ]


def fold(connection: "Connection", last: int, over: Sequence[Name], events: Events) -> None:
    """Everything of the log up to this segment, once."""
    here = folded(connection)
    if last <= here:
        return
    connection.execute(_FORGET, (msgspec.json.encode(over).decode(),))
    for (segment, _), event in events():
        if segment > here:
            _apply_late(connection, event)
    connection.execute(
        "INSERT INTO journal_folded (id, segment) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET segment = max(segment, excluded.segment)",
        (last,),
    )


def _apply_late(connection: "Connection", event: AnyEvent) -> None:
    """A call that is not there was over, or in a file that was set aside."""
    try:
        apply(connection, event)
    except NotKept:
        if isinstance(event, HandedOver):
            insert_call(connection, event.to)


def folded(connection: "Connection") -> int:
    row = connection.execute("SELECT segment FROM journal_folded").fetchone()
    return int(row[0]) if row else 0


def has(connection: "Connection", session: str, request: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM journal_calls WHERE session = ? AND request = ?", (session, request)
    )
    return found.fetchone() is not None


def _check_kept(connection: "Connection", session: str, request: str) -> None:
    if not has(connection, session, request):
        raise NotKept("The journal does not know this call.")
