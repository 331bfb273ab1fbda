"""Connections to a database file: opened as the store needs them, and what SQLite says of them told as StorageError. Everything here blocks."""

import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from exai_trio.storage.space_reserve import SpaceReserve
from exai_trio.storage.sqlite.error_kinds import DiskFull, kind_of, remedy_of
from exai_trio.storage.sqlite.file.database_file import Pair, make_private
from exai_trio.storage.sqlite.file.upgrade import upgrade
from exai_trio.storage.sqlite.write_path import LOG_LENGTH

# How long a statement waits for another process's lock, in milliseconds.
BUSY_MS = 2_000
# A cache of each connection: SQLite would fill 2 MiB with what the system caches anyway.
CACHE_KIB = 512


def open_pair(
    path: Path, *, reserve: SpaceReserve, over_power_loss: bool
) -> Pair[sqlite3.Connection]:
    """In spite of a full disk, if the reserve makes room."""
    try:
        pair = _connect_both(path)
    except DiskFull:
        if not reserve.spend():
            raise
        pair = _connect_both(path)
    pair.writer.execute(f"PRAGMA synchronous = {'FULL' if over_power_loss else 'NORMAL'}")
    # The thread asks for a lock again by itself, and the log is copied back beside it.
    pair.writer.execute("PRAGMA busy_timeout = 0")
    pair.writer.execute("PRAGMA wal_autocheckpoint = 0")
    pair.writer.execute(f"PRAGMA journal_size_limit = {LOG_LENGTH // 2}")  # of one begun anew
    reserve.restore()
    return pair


def _connect_both(path: Path) -> Pair[sqlite3.Connection]:
    with sqlite_faults(path):
        make_private(path)
        with ExitStack() as otherwise:
            writer = otherwise.enter_context(closing(connect(path)))
            upgrade(writer, path)
            pair = Pair(writer, connect(path))
            otherwise.pop_all()
        return pair


def connect(path: Path) -> sqlite3.Connection:
    # Used by one thread at a time (a limiter of one each), but not always by the same one.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with ExitStack() as otherwise:
        otherwise.callback(connection.close)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        otherwise.pop_all()
    return connection


def existing(path: Path, mode: str) -> sqlite3.Connection:
    """Does not make the file."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
    )


def copy_file(connection: sqlite3.Connection, path: Path) -> None:
    """The file has its name only once it is whole: one that exists is taken for the store's."""
    new = path.with_name(f"{path.name}.new")
    with sqlite_faults(path):
        make_private(new)
        with closing(sqlite3.connect(new)) as fresh:
            connection.backup(fresh)
        new.replace(path)


@contextmanager
def sqlite_faults(path: Path | None = None) -> Generator[None]:
    """sqlite3's errors, and the system's while opening, leave as StorageError with a remedy."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as fault:
        where = f" {path}" if path else ""
        kind = kind_of(fault)
        raise kind(f"The store{where} could not be used: {fault}. {remedy_of(fault)}") from fault
