"""Rows of the journal's tables: what a call and its outcome are in columns.

A call and its outcome are one insert each: a large request is written once. What is long is compressed, in the writer's
thread: the disk has each byte twice, in SQLite's log and in the file.
"""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exai_trio.storage.journal import KeptCall, KeptOutcome
from exai_trio.storage.sqlite.batches import insert_many
from exai_trio.storage.sqlite.error_kinds import Unreadable

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

_BRIEF: Final = 64 * 1024  # characters; what is longer is compressed
_CALLS: Final = "INSERT OR REPLACE INTO journal_calls (session, request, principal, resumable, seq, roots, timeout, at, attempts, lasting, frame, packed)"
_OUTCOMES: Final = "INSERT INTO journal_outcomes (session, request, seq, at, frame, packed)"
_THE_FIRST_COUNTS: Final = "ON CONFLICT DO NOTHING"
_QUICKLY: Final = 1  # the level of compression: text shrinks to a third or less


def insert_call(connection: "Connection", call: KeptCall) -> None:
    """In the place of one of its id, whose outcome goes with it: the foreign key cascades."""
    insert_calls(connection, [call])


def insert_outcome(
    connection: "Connection", session: str, request: str, outcome: KeptOutcome
) -> None:
    """The first one counts."""
    insert_outcomes(connection, [(session, request, outcome)])


def insert_calls(connection: "Connection", calls: Sequence[KeptCall]) -> None:
    """Many, in their order, none of which has the id of another."""
    insert_many(connection, _CALLS, [(*_row(call), *_packed(call.frame)) for call in calls])


def insert_outcomes(
    connection: "Connection", outcomes: Sequence[tuple[str, str, KeptOutcome]]
) -> None:
    """Many, of calls that are there."""
    insert_many(
        connection,
        _OUTCOMES,
        [(name, request, one.seq, one.at, *_packed(one.frame)) for name, request, one in outcomes],
        _THE_FIRST_COUNTS,
    )


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


def call_in(session: str, row: tuple[Any, ...]) -> KeptCall:
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
