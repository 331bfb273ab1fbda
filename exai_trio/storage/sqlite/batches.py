"""A batch of writes on one connection: all in one transaction, each of which may fail alone."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from exai_trio.errors import StorageError
from exai_trio.storage.group_commit import Write
from exai_trio.storage.sqlite.error_kinds import Damaged, DiskFull

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

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
            raise  # the whole batch: it may be tried again in the ballast's room, or in a fresh file
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
