"""The journal's tables in the SQLite file, as they are read and swept."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from exai_trio import structs
from exai_trio.principals import names_of
from exai_trio.storage.base import SWEEP_GRACE_S
from exai_trio.storage.event_journal import EventJournal, Events, Name
from exai_trio.storage.group_commit import GroupCommit
from exai_trio.storage.journal import KEPT_S, KeptSession
from exai_trio.storage.journal_events import Accepted, AnyEvent
from exai_trio.storage.space_reserve import SpaceReserve
from exai_trio.storage.sqlite import folding
from exai_trio.storage.sqlite.journal_rows import call_in

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

T = TypeVar("T")
_SWEPT_AT_ONCE: Final = 500  # rows: the writer's other customers wait a few milliseconds for them
_ACKNOWLEDGED: Final = "o.seq > 0 AND o.seq <= coalesce(n.acked, 0) AND NOT c.lasting"
_OLD: Final = "o.at <= CASE WHEN o.seq > 0 THEN :kept ELSE :unnumbered END"
_MARKED_LONG_AGO: Final = "m.marked_at <= CASE WHEN o.seq > 0 THEN :grace ELSE :unnumbered END"
# A mark in the future, or of what is not old, is of a clock that was ahead.
_UNMARK: Final = (
    "DELETE FROM journal_marks WHERE marked_at > :now OR NOT EXISTS (SELECT 1 FROM journal_outcomes AS o"  # noqa: S608 - our own words
    f" WHERE o.session = journal_marks.session AND o.request = journal_marks.request AND {_OLD})"
)
_MARK: Final = (
    "INSERT INTO journal_marks (session, request, marked_at)"  # noqa: S608 - as above
    f" SELECT o.session, o.request, :now FROM journal_outcomes AS o WHERE {_OLD} ON CONFLICT DO NOTHING"
)


class Reading(Protocol):
    """Runs a query beside the writer, in a thread."""

    def __call__(self, query: "Callable[[Connection], T]") -> Awaitable[T]: ...


@structs.frozen
class SqliteJournal(EventJournal):
    """A Journal over an open file; unusable after the file's block."""

    _writer: GroupCommit
    _read: Reading
    _reserve: SpaceReserve

    async def note(self, event: AnyEvent) -> None:
        if isinstance(event, Accepted):
            self._reserve.check_unspent()
        await self._writer.write(lambda connection: folding.apply(connection, event))

    async def has(self, session: str, request: str) -> bool:
        """Whether this call is kept here. Asked of the writer, who leaves a damaged file behind for a fresh one."""
        return await self._writer.write(
            lambda connection: folding.has(connection, session, request)
        )

    async def folded(self) -> int:
        """The segments of the log up to this number are here. Asked of the writer as well."""
        return await self._writer.write(folding.folded)

    async def fold(self, last: int, over: Sequence[Name], events: Events) -> None:
        """In one step: the events of the log's segments up to `last`, but of those that are here; and nothing is kept of the
        calls that are over."""
        names = list(over)
        await self._writer.write(lambda connection: folding.fold(connection, last, names, events))

    async def retire(self) -> None:
        """Two processes may write to the file at any time."""

    async def names(self, principal: str) -> tuple[tuple[str, str], ...]:
        return await self._read(lambda connection: _names(connection, principal))

    async def unfinished(self) -> tuple[str, ...]:
        return tuple(sorted({session for session, _ in await self.open_calls()}))

    async def open_calls(self) -> tuple[Name, ...]:
        return await self._read(_open_calls)

    async def session(self, session: str) -> KeptSession | None:
        return await self._read(lambda connection: _session(connection, session))

    async def sweep_calls(self, now: float | None, unnumbered_s: float) -> int:
        gone, swept = 0, _SWEPT_AT_ONCE
        while swept == _SWEPT_AT_ONCE:
            swept = await self._writer.write(
                lambda connection: _sweep(connection, now, unnumbered_s)
            )
            gone += swept
        return gone


def _names(connection: "Connection", principal: str) -> tuple[tuple[str, str], ...]:
    names = names_of(principal)
    places = ", ".join("?" * len(names))
    rows = connection.execute(
        f"SELECT CAST(session AS BLOB), CAST(request AS BLOB) FROM journal_calls WHERE principal IN ({places})",  # noqa: S608 - our own words
        names,
    )
    found = ((_text(session), _text(request)) for session, request in rows)
    return tuple((session, request) for session, request in found if session and request)


def _open_calls(connection: "Connection") -> tuple[Name, ...]:
    rows = connection.execute(
        "SELECT CAST(session AS BLOB), CAST(request AS BLOB) FROM journal_calls AS c WHERE NOT EXISTS"
        " (SELECT 1 FROM journal_outcomes AS o WHERE o.session = c.session AND o.request = c.request)"
    )
    found = ((_text(session), _text(request)) for session, request in rows)
    return tuple(name for name in found if name[0])


def _text(name: bytes | None) -> str:
    """A name that is broken is "": it names nothing, and keeps nobody from the others."""
    try:
        return (name or b"").decode()
    except UnicodeDecodeError:
        # audit: empty-handler, because a broken name is "" and keeps nobody from the others
        return ""


def _session(connection: "Connection", session: str) -> KeptSession | None:
    rows = connection.execute(
        "SELECT CAST(c.request AS BLOB), CAST(c.principal AS BLOB), c.resumable, c.seq, CAST(c.roots AS BLOB),"
        " c.timeout, c.at, c.attempts, c.lasting, CAST(c.frame AS BLOB), CAST(c.packed AS BLOB),"
        " o.seq, o.at, CAST(o.frame AS BLOB), CAST(o.packed AS BLOB) FROM journal_calls AS c"
        " LEFT JOIN journal_outcomes AS o ON o.session = c.session AND o.request = c.request"
        " WHERE c.session = ? ORDER BY c.rowid",
        (session,),
    ).fetchall()
    if not rows:
        return None
    numbers = connection.execute(
        "SELECT acked, base FROM journal_numbers WHERE session = ?", (session,)
    ).fetchone()
    acked, base = numbers or (0, 0)
    return KeptSession(calls=tuple(call_in(session, row) for row in rows), acked=acked, base=base)


def _sweep(connection: "Connection", now: float | None, unnumbered_s: float) -> int:
    if now is None:
        gone = _forget(connection, _ACKNOWLEDGED, {})
    else:
        times = {
            "now": now,
            "kept": now - KEPT_S,
            "unnumbered": now - unnumbered_s,
            "grace": now - SWEEP_GRACE_S,
        }
        connection.execute(_UNMARK, times)
        gone = _forget(connection, f"({_ACKNOWLEDGED}) OR {_MARKED_LONG_AGO}", times)
        connection.execute(_MARK, times)
    connection.execute(
        "DELETE FROM journal_numbers WHERE NOT EXISTS"
        " (SELECT 1 FROM journal_calls AS c WHERE c.session = journal_numbers.session)"
    )
    return gone


def _forget(connection: "Connection", which: str, times: Mapping[str, float]) -> int:
    return connection.execute(
        "DELETE FROM journal_calls WHERE rowid IN (SELECT c.rowid FROM journal_outcomes AS o"  # noqa: S608 - our own words
        " JOIN journal_calls AS c ON c.session = o.session AND c.request = o.request"
        " LEFT JOIN journal_numbers AS n ON n.session = o.session"
        " LEFT JOIN journal_marks AS m ON m.session = o.session AND m.request = o.request"
        f" WHERE {which} LIMIT :most)",
        {**times, "most": _SWEPT_AT_ONCE},
    ).rowcount
