"""A database file as a whole, beside whoever uses it: copied, looked through, and made ready to be another home's. Everything here blocks."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from exai_trio.storage.sqlite.file.connections import existing, sqlite_faults
from exai_trio.storage.sqlite.file.database_file import make_private
from exai_trio.storage.sqlite.file.upgrade import schema_version

_UNFINISHED: Final = """
    DELETE FROM journal_calls WHERE NOT EXISTS
        (SELECT 1 FROM journal_outcomes o WHERE o.session = journal_calls.session AND o.request = journal_calls.request)
"""
_LOST: Final = (
    "UPDATE message_bus SET status = 'expired', deleted_at = created_at WHERE transaction_id = ?"
)


@contextmanager
def looked_into(path: Path) -> Generator[sqlite3.Connection]:
    """The file, which is not changed. Raises StorageError, also out of the block; NotOurs if it is another program's."""
    with sqlite_faults(path), closing(existing(path, "ro")) as connection:
        schema_version(connection, path)
        yield connection


def copy_database(source: Path, target: Path) -> int:
    """All that is committed in `source`, at one moment, while others write. Returns its schema. Raises StorageError."""
    with looked_into(source) as connection, sqlite_faults(target):
        make_private(target)
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)  # in one step: else each write would begin it anew
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        return schema_version(connection, source)


def make_ready(copy: Path, lost: tuple[str, ...]) -> None:
    """What cannot go on elsewhere is over: calls without an outcome, and large results whose files are lost. Raises StorageError."""
    with sqlite_faults(copy), closing(existing(copy, "rw")) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        if "journal_outcomes" in tables:
            connection.execute(_UNFINISHED)
        for transaction_id in lost:
            connection.execute(_LOST, (transaction_id,))


def faults_of(path: Path, *, full: bool) -> list[str]:
    """What is wrong with the file itself: all of it is read, with `full` each index is held to its table. Raises StorageError."""
    check = "integrity_check" if full else "quick_check"
    with looked_into(path) as connection:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}")]
        foreign = connection.execute("PRAGMA foreign_key_check").fetchall()
    told = [f"database: {text}" for text in found if text != "ok"]
    return told + [f"database: a row of {table} refers to none in {parent}" for table, _, parent, _ in foreign]  # fmt: skip
