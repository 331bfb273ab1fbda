"""What lies in the daemon's home while no daemon runs: the journal's calls, and the database's size."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from .provider import MARK

_NEWEST = 50  # more than any cycle has calls


def journalled(home: Path) -> Mapping[str, bool]:
    """Whether the outcome of each of the newest calls is on disk, by the call's mark. Nothing is written."""
    with closing(sqlite3.connect(f"file:{_database(home)}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT c.frame, o.frame IS NOT NULL FROM journal_calls AS c LEFT JOIN journal_outcomes AS o"
            " ON o.session = c.session AND o.request = c.request ORDER BY c.rowid DESC LIMIT ?",
            (_NEWEST,),
        ).fetchall()
    found = ((MARK.search(frame), bool(ended)) for frame, ended in rows)
    return {mark.group(): ended for mark, ended in found if mark}


def database_size(home: Path) -> int:
    """Bytes, with what is written ahead."""
    return sum(path.stat().st_size for path in _database(home).parent.glob("exai.db*"))


def _database(home: Path) -> Path:
    return home / "exai" / "state" / "exai.db"
