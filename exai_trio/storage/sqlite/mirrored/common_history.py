"""Up to which numbers a conversation here and at Supabase are the same, and how what is newer there comes in.

The first `messages` turns and `steps` steps of a conversation bear the numbers that they have there. What was added here and is not known
to have arrived stands behind them.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from exai_trio import structs
from exai_trio.storage.hosted.outbox_entries import Entry, Mark, Tail
from exai_trio.storage.sqlite.statements import Own, Row, row, step_row

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3


@structs.frozen(kw_only=True)
class _Table:
    """The statements for one of the two tables that hold what a conversation consists of; the last of a row's columns is its key."""

    common: str
    set_common: str
    beyond: str
    delete_beyond: str
    insert: str
    keys: str


_TURNS: Final = _Table(
    common="SELECT messages FROM mirrored WHERE conversation = ?",
    set_common="UPDATE mirrored SET messages = ? WHERE conversation = ?",
    beyond=(
        "SELECT role, text, tool, model, provider, at, extra, key FROM turns"
        " WHERE conversation = ? AND number > ? ORDER BY number"
    ),
    delete_beyond="DELETE FROM turns WHERE conversation = ? AND number > ?",
    insert=(
        "INSERT INTO turns (conversation, number, role, text, tool, model, provider, at, extra, key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ),
    keys="SELECT key FROM turns WHERE conversation = ? AND number > ? AND number <= ?",
)
_STEPS: Final = _Table(
    common="SELECT steps FROM mirrored WHERE conversation = ?",
    set_common="UPDATE mirrored SET steps = ? WHERE conversation = ?",
    beyond="SELECT tool, at, data, key FROM steps WHERE conversation = ? AND number > ? ORDER BY number",
    delete_beyond="DELETE FROM steps WHERE conversation = ? AND number > ?",
    insert="INSERT INTO steps (conversation, number, tool, at, data, key) VALUES (?, ?, ?, ?, ?, ?)",
    keys="SELECT key FROM steps WHERE conversation = ? AND number > ? AND number <= ?",
)


def mark_of(connection: "sqlite3.Connection", conversation: str) -> Mark | None:
    """None if it has never been told there, nor come from there."""
    found = connection.execute(
        "SELECT messages, steps FROM mirrored WHERE conversation = ?", (conversation,)
    ).fetchone()
    return Mark(messages=found[0], steps=found[1]) if found else None


def begin(connection: "sqlite3.Connection", conversation: str) -> bool:
    """Nothing is common yet. Returns whether that is new; not of one that is not here."""
    done = connection.execute(
        "INSERT INTO mirrored (conversation) SELECT id FROM conversations WHERE id = ? ON CONFLICT DO NOTHING",
        (conversation,),
    )
    return done.rowcount > 0


def take(connection: "sqlite3.Connection", own: Own, after: Mark, tail: Tail) -> None:
    """What is there beyond a mark goes before what is here alone; what came from here already keeps its place. Nothing is taken if the
    conversation has gone from here since, or begun anew: what comes before the mark would be missing."""
    principal, conversation = own
    here = mark_of(connection, conversation) or Mark()
    if here.messages < after.messages or here.steps < after.steps:
        return
    connection.execute(
        "INSERT INTO conversations (id, created_at, expires_at, principal) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at), marked_at = NULL"
        " WHERE principal = excluded.principal",
        (conversation, tail.created_at, tail.expires_at, principal),
    )
    begin(connection, conversation)
    _take_rows(connection, _TURNS, conversation, [(n, row(turn)) for n, turn in tail.turns])
    _take_rows(connection, _STEPS, conversation, [(n, step_row(step)) for n, step in tail.steps])
    if tail.name:
        connection.execute(
            "INSERT INTO thread_names (conversation, name, principal) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (conversation, tail.name, principal),
        )


def _take_rows(
    connection: "sqlite3.Connection", table: _Table, conversation: str, told: list[tuple[int, Row]]
) -> None:
    common = _common(connection, table, conversation)
    fresh = [each for number, each in told if number > common]
    if not fresh:
        return
    beyond = (conversation, common)
    ours: list[Row] = connection.execute(table.beyond, beyond).fetchall()
    connection.execute(table.delete_beyond, beyond)
    known = {each[-1]: each for each in ours if each[-1]}
    arrived = {each[-1] for each in fresh if each[-1]}
    rows = [known.get(each[-1], each) for each in fresh]
    rows += [each for each in ours if each[-1] not in arrived]
    numbered = enumerate(rows, start=common + 1)
    connection.executemany(table.insert, [(conversation, n, *each) for n, each in numbered])
    _set_common(connection, table, conversation, common + len(fresh))


def advance(connection: "sqlite3.Connection", entry: Entry, number: int) -> None:
    """What was sent has arrived, and stands there up to this number: common, if it stands so here too."""
    table, keys = _sent(entry)
    common = _common(connection, table, entry.key)
    if not keys or number != common + len(keys):
        return  # others have added to it meanwhile: the next look brings that
    rows = connection.execute(table.keys, (entry.key, common, number))
    if {row[0] for row in rows} == set(keys):
        _set_common(connection, table, entry.key, number)


def _sent(entry: Entry) -> tuple[_Table, list[str]]:
    body: dict[str, Any] = msgspec.json.decode(entry.body)
    if entry.kind == "step":
        return _STEPS, [body["key"]]
    return _TURNS, [each["key"] for each in body.get("messages", ())]


def _common(connection: "sqlite3.Connection", table: _Table, conversation: str) -> int:
    found = connection.execute(table.common, (conversation,)).fetchone()
    return int(found[0]) if found else 0


def _set_common(
    connection: "sqlite3.Connection", table: _Table, conversation: str, number: int
) -> None:
    connection.execute(table.set_common, (number, conversation))
