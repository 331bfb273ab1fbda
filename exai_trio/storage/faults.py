"""Kinds of StorageError that the store itself acts upon, and which one a fault of SQLite's is. Pure: no trio, no clock, no I/O."""

import errno

from exai_trio.errors import StorageError


class DiskFull(StorageError):
    """There is no room; what was to be written is not."""


class Damaged(StorageError):
    """The file's content is broken: only another file helps."""


def kind_of(fault: Exception) -> type[StorageError]:
    name = getattr(fault, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or getattr(fault, "errno", 0) in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull
    return Damaged if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) else StorageError


def remedy_of(fault: Exception) -> str:
    match getattr(fault, "sqlite_errorname", ""):
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "Another process holds its lock; try again."
        case "SQLITE_CORRUPT" | "SQLITE_NOTADB":
            return "The file is damaged: `exai serve` sets it aside when it starts again; or move it away (and its -wal and -shm)."
        case "SQLITE_FULL":
            return "The disk is full."
        case _:
            return "Check that EXAI_HOME exists, is writable and has room."
