"""The journal's tables in the SQLite file. The file, its writer and its faults are `sqlite`'s.

A call and its outcome are one insert each: a large request is written once. What is long is compressed, in the writer's
thread: the disk has each byte twice, in the log and in the file.
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from exai_trio import structs
from exai_trio.principals import names_of
from exai_trio.storage.base import SWEEP_GRACE_S
from exai_trio.storage.journal import KEPT_S, KeptCall, KeptOutcome, KeptSession
from exai_trio.storage.sqlite.errors import DiskFull, Unreadable
from exai_trio.storage.sqlite.group_commit import GroupCommit
from exai_trio.storage.sqlite.space_reserve import Ballast

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

T = TypeVar("T")
_BRIEF: Final = 64 * 1024  # characters; what is longer is the thread's, and compressed
_QUICKLY: Final = 1  # the level of compression: text shrinks to a third or less
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
class SqliteJournal:
    """A Journal over an open file; unusable after the file's block."""

    _writer: GroupCommit
    _read: Reading
    _ballast: Ballast

    async def accept(self, call: KeptCall) -> None:
        if self._ballast.spent:
            raise DiskFull(
                "The disk is full; what room is left is for the outcomes of the calls that run.",
                retry_after_s=10.0,  # audit: duration, because it is a hint to the client, who decides
            )
        row = _row(call)
        await self._insert(lambda connection: _insert_call(connection, row, call.frame), call.frame)

    async def run_again(self, session: str, request: str) -> None:
        await self._writer.write(
            lambda connection: _execute(
                connection,
                "UPDATE journal_calls SET attempts = attempts + 1 WHERE session = ? AND request = ?",
                (session, request),
            )
        )

    async def finish(self, session: str, request: str, outcome: KeptOutcome) -> None:
        row = (session, request, outcome.seq, outcome.at)
        frame = outcome.frame
        await self._insert(lambda connection: _insert_outcome(connection, row, frame), frame)

    async def _insert(self, insert: "Callable[[Connection], None]", frame: str) -> None:
        if len(frame) <= _BRIEF:
            await self._writer.write_briefly(insert)
        else:
            await self._writer.write(insert, whole=True)

    async def hand_over(
        self, session: str, request: str, outcome: KeptOutcome, to: KeptCall
    ) -> None:
        ended = (session, request, outcome.seq, outcome.at)
        row = _row(to)

        def hand_over(connection: "Connection") -> None:
            _insert_outcome(connection, ended, outcome.frame)
            _insert_call(connection, row, to.frame)

        await self._writer.write(hand_over)

    async def names(self, principal: str) -> tuple[tuple[str, str], ...]:
        return await self._read(lambda connection: _names(connection, principal))

    async def acknowledge(self, acks: Mapping[str, int]) -> None:
        rows = list(acks.items())
        await self._writer.write(lambda connection: _note_acks(connection, rows))

    async def number_from(self, session: str, base: int) -> None:
        await self._writer.write(
            lambda connection: _execute(
                connection,
                "INSERT INTO journal_numbers (session, base) VALUES (?, ?)"
                " ON CONFLICT (session) DO UPDATE SET base = excluded.base",
                (session, base),
            )
        )

    async def unfinished(self) -> tuple[str, ...]:
        return await self._read(_unfinished)

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


def _row(call: KeptCall) -> tuple[Any, ...]:
    return (
        call.session,
        call.request,
        call.principal,
        int(call.resumable),
        call.seq,
        msgspec.json.encode(call.roots).decode(),
        call.timeout,
        call.at,
        call.attempts,
        int(call.lasting),
    )


def _packed(frame: str) -> tuple[str, bytes | None]:
    """The columns `frame` and `packed`."""
    return (frame, None) if len(frame) <= _BRIEF else ("", zlib.compress(frame.encode(), _QUICKLY))


def _unpacked(frame: bytes, packed: bytes | None) -> str:
    return (frame if packed is None else zlib.decompress(packed)).decode()


def _insert_call(connection: "Connection", row: tuple[Any, ...], frame: str) -> None:
    # REPLACE takes the older call's outcome with it: the foreign key cascades.
    connection.execute(
        "INSERT OR REPLACE INTO journal_calls"
        " (session, request, principal, resumable, seq, roots, timeout, at, attempts, lasting, frame, packed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, *_packed(frame)),
    )


def _insert_outcome(connection: "Connection", row: tuple[Any, ...], frame: str) -> None:
    connection.execute(
        "INSERT INTO journal_outcomes (session, request, seq, at, frame, packed) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (*row, *_packed(frame)),
    )


def _names(connection: "Connection", principal: str) -> tuple[tuple[str, str], ...]:
    names = names_of(principal)
    places = ", ".join("?" * len(names))
    rows = connection.execute(
        f"SELECT CAST(session AS BLOB), CAST(request AS BLOB) FROM journal_calls WHERE principal IN ({places})",  # noqa: S608 - our own words
        names,
    )
    found = ((_text(session), _text(request)) for session, request in rows)
    return tuple((session, request) for session, request in found if session and request)


def _execute(connection: "Connection", statement: str, row: tuple[Any, ...]) -> None:
    connection.execute(statement, row)


def _note_acks(connection: "Connection", rows: list[tuple[str, int]]) -> None:
    connection.executemany(
        "INSERT INTO journal_numbers (session, acked) SELECT ?1, ?2"
        " WHERE EXISTS (SELECT 1 FROM journal_calls WHERE session = ?1)"
        " ON CONFLICT (session) DO UPDATE SET acked = max(acked, excluded.acked)",
        rows,
    )


def _unfinished(connection: "Connection") -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT DISTINCT CAST(session AS BLOB) FROM journal_calls AS c WHERE NOT EXISTS"
        " (SELECT 1 FROM journal_outcomes AS o WHERE o.session = c.session AND o.request = c.request)"
        " ORDER BY session"
    )
    return tuple(filter(None, (_text(session) for (session,) in rows)))


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
    return KeptSession(calls=tuple(_call(session, row) for row in rows), acked=acked, base=base)


def _call(session: str, row: tuple[Any, ...]) -> KeptCall:
    """Text comes as bytes: sqlite3 would quote what it cannot decode. Raises Unreadable."""
    try:
        return _decoded(session, row)
    except (
        zlib.error,
        UnicodeDecodeError,
        msgspec.DecodeError,
        AttributeError,
        TypeError,
    ) as fault:
        raise Unreadable(f"A call in the journal cannot be decoded: {fault}") from fault


def _decoded(session: str, row: tuple[Any, ...]) -> KeptCall:
    request, principal, resumable, seq, roots, timeout, at, attempts, lasting, frame, packed = row[:11]  # fmt: skip
    return KeptCall(
        session=session,
        request=request.decode(),
        principal=principal.decode(),
        resumable=bool(resumable),
        seq=seq,
        frame=_unpacked(frame, packed),
        roots=msgspec.json.decode(roots, type=tuple[str, ...]),
        timeout=timeout,
        at=at,
        attempts=attempts,
        lasting=bool(lasting),
        outcome=_outcome(*row[11:]),
    )


def _outcome(seq: int | None, at: float, frame: bytes, packed: bytes | None) -> KeptOutcome | None:
    return None if seq is None else KeptOutcome(seq=seq, at=at, frame=_unpacked(frame, packed))


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
