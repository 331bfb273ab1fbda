"""Events of the journal as statements on its tables, one by one or as whole segments of the log."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.storage.event_journal import Events, Name
from exai_trio.storage.journal import KeptCall, KeptOutcome, NoHandles
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
from exai_trio.storage.sqlite.journal_rows import (
    insert_call,
    insert_calls,
    insert_outcome,
    insert_outcomes,
)

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
# A later life of such a session begins to count anew.
_FORGET_NUMBERS: Final = (
    "DELETE FROM journal_numbers WHERE session IN (SELECT json_extract(j.value, '$[0]') FROM json_each(?) AS j)"
    " AND NOT EXISTS (SELECT 1 FROM journal_calls AS c WHERE c.session = journal_numbers.session)"
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
        case Finished(session, request, outcome) if has(connection, session, request):
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
        case Finished():
            pass


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
    names = msgspec.json.encode(over).decode()
    connection.execute(_FORGET, (names,))
    connection.execute(_FORGET_NUMBERS, (names,))
    run = _Run(connection)
    for (segment, _), event in events():
        if segment > here:
            run.add(event)
    run.write()
    connection.execute(
        "INSERT INTO journal_folded (id, segment) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET segment = max(segment, excluded.segment)",
        (last,),
    )


@structs.define(eq=False)
class _Run:
    """Acceptances and outcomes that follow each other, and are written together; what else comes is written between two runs."""

    connection: "Connection"
    _calls: dict[Name, KeptCall] = attrs.field(factory=dict[Name, KeptCall])
    _outcomes: dict[Name, KeptOutcome] = attrs.field(factory=dict[Name, KeptOutcome])

    def add(self, event: AnyEvent) -> None:
        match event:
            case Accepted(call):
                name = call.session, call.request
                if name in self._calls or name in self._outcomes:  # of an older one of this id
                    self.write()
                self._calls[name] = call
            case Finished(session, request, outcome):
                self._outcomes.setdefault((session, request), outcome)
            case _:
                self.write()
                self._apply_late(event)

    def write(self) -> None:
        connection, calls, outcomes = self.connection, self._calls, self._outcomes
        insert_calls(connection, list(calls.values()))
        insert_outcomes(
            connection,
            [
                (*name, outcome)
                for name, outcome in outcomes.items()
                if name in calls or has(connection, *name)  # else the call was over, or set aside
            ],
        )
        self._calls, self._outcomes = {}, {}

    def _apply_late(self, event: AnyEvent) -> None:
        """A call that is not there was over, or in a file that was set aside."""
        try:
            apply(self.connection, event)
        except NotKept:
            if isinstance(event, HandedOver):
                insert_call(self.connection, event.to)


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
