"""Whether the file of the store is whole, as SQLite itself judges it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3


def faults(connection: "sqlite3.Connection", *, full: bool) -> tuple[str, ...]:
    """One sentence each. `full` also compares each index with its table, which takes longer."""
    check = "PRAGMA integrity_check" if full else "PRAGMA quick_check"
    said = [str(row[0]) for row in connection.execute(check)]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    broken = [f"The database of this machine is damaged: {line}." for line in said if line != "ok"]
    lost = sorted({f"Rows of {row[0]} belong to nothing." for row in orphans})
    return (*broken, *lost)
