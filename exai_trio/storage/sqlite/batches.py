"""Batches on one connection: writes in one transaction, each of which may fail alone; and rows in few statements."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from exai_trio.errors import StorageError
from exai_trio.storage.group_commit import Write
from exai_trio.storage.sqlite.error_kinds import Damaged, DiskFull

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

_ROWS_AT_ONCE: Final = 50

Mapped = Callable[[], AbstractContextManager[None]]
"""A block out of which the database's errors come as StorageError."""


def carry_out(connection: "Connection", batch: Sequence[Write], mapped: Mapped) -> None:
    """Raises StorageError if the batch as a whole was not kept; a write that failed alone has its fault."""
    for write in batch:
        write.fault = None
    with mapped(), transaction(connection, "IMMEDIATE"):
        for write in batch:
            _carry_out_one(connection, write, mapped)


def _carry_out_one(connection: "Connection", write: Write, mapped: Mapped) -> None:
    connection.execute("SAVEPOINT one")
    try:
        with _faulty(write), mapped():
            write.result = write.work(connection)
    except StorageError as fault:
        if isinstance(fault, DiskFull | Damaged) or not connection.in_transaction:
            raise  # the whole batch: it may be tried again in the reserve's room, or in a fresh file
        write.fault = fault
    if write.fault is not None:
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")


@contextmanager
def _faulty(write: Write) -> Generator[None]:
    """A fault of ours in a write is its asker's; the writer goes on."""
    try:
        yield
    except StorageError:
        raise
    except Exception as fault:  # noqa: BLE001 - the border of a write; its asker raises it
        write.fault = fault


@contextmanager
def transaction(connection: "Connection", kind: str) -> Generator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def insert_many(
    connection: "Connection", begin: str, rows: Sequence[tuple[Any, ...]], end: str = ""
) -> None:
    """In their order; `begin` and `end` are what stands around the values. Each statement gives up the interpreter and waits for it again:
    beside a busy loop one a row takes several times as long. What is empty in all its rows a statement says by itself: a NULL that is
    handed over takes longer than any other value."""
    whole = len(rows) - len(rows) % _ROWS_AT_ONCE
    for first in range(0, whole, _ROWS_AT_ONCE):
        row, values = _row_and_values(rows[first : first + _ROWS_AT_ONCE])
        many = f"{begin} VALUES {', '.join([row] * _ROWS_AT_ONCE)} {end}"
        connection.execute(many, [*chain.from_iterable(values)])
    if whole < len(rows):
        row, values = _row_and_values(rows[whole:])
        connection.executemany(f"{begin} VALUES {row} {end}", values)


def _row_and_values(
    rows: Sequence[tuple[Any, ...]],
) -> tuple[str, Iterator[tuple[Any, ...]]]:
    """How a row of them stands in a statement, and what is handed over of each; that is the first column at least."""
    columns = [*zip(*rows, strict=True)]
    words = ["?", *map(_word, columns[1:])]
    handed = [column for column, word in zip(columns, words, strict=True) if word == "?"]
    return f"({', '.join(words)})", zip(*handed, strict=True)


def _word(column: tuple[Any, ...]) -> str:
    if column[0] is None and column.count(None) == len(column):
        return "NULL"
    if column[0] == "" and column.count("") == len(column):
        return "''"
    return "?"
