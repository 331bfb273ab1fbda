"""Kinds of StorageError that the store itself acts upon, and which one a fault of SQLite's is. Pure: no trio, no clock, no I/O."""

import errno

from exai_trio.errors import StorageError


class DiskFull(StorageError):
    """There is no room; what was to be written is not."""


class Damaged(StorageError):
    """The file's content is broken: only another file helps."""


class Unreadable(StorageError):
    """What one row holds cannot be decoded; the rest of the file is well."""

    retryable = False


class Locked(StorageError):
    """Another process is writing at the moment."""


class NotOurs(StorageError):
    """Another program's file, or a newer EXAI's: never set aside, and time does not mend it."""

    retryable = False


class NotKept(StorageError):
    """What is to be added to is not there: the file that had it was damaged and set aside."""


def kind_of(fault: Exception) -> type[StorageError]:
    name = _name_of(fault)
    if name == "SQLITE_FULL":
        return DiskFull
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return NotKept
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Locked
    return Damaged if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) else StorageError


def remedy_of(fault: Exception) -> str:
    match _name_of(fault):
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "Another process holds its lock; try again."
        case "SQLITE_CORRUPT" | "SQLITE_NOTADB":
            return "The file is damaged: `exai serve` sets it aside and goes on with a fresh one; or move it away (and its -wal and -shm)."
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM":
            return "EXAI_HOME cannot be written: make it writable, or let EXAI_HOME name another directory."
        case "SQLITE_FULL":
            return "The disk is full."
        case _:
            return "Check that EXAI_HOME exists, is writable and has room."


def _name_of(fault: Exception) -> str:
    """SQLite's name of it. A message of SQLite's that is no text quotes what is broken."""
    if getattr(fault, "errno", 0) in {errno.ENOSPC, errno.EDQUOT}:
        return "SQLITE_FULL"
    if isinstance(fault, UnicodeDecodeError):
        return "SQLITE_CORRUPT"
    return getattr(fault, "sqlite_errorname", "")
