"""Where baselines are kept, and the calls that a daemon has kept: the database of a home."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import trio

from .records import encoded
from .wrong import Wrong


def database(home):
    """The file in that home, or in EXAI_HOME. None if neither is given: nobody's data are touched unasked."""
    named = home or os.environ.get("EXAI_HOME")
    return Path(named).expanduser() / "state" / "exai.db" if named else None


def keep(home, baseline):
    """Raises Wrong."""
    from exai_trio.errors import StorageError

    path = database(home)
    try:
        if path is not None:
            trio.run(_kept, path, baseline)
    except StorageError as fault:
        raise Wrong(f"--home: {fault}") from fault


async def _kept(path, baseline):
    from exai_trio.storage.sqlite.store import open_sqlite

    values = (
        baseline.at,
        baseline.revision,
        baseline.machine.id,
        baseline.source,
        encoded(baseline).decode(),
    )
    async with open_sqlite(path) as store:
        await store.write(
            lambda connection: connection.execute(
                "INSERT INTO baselines (at, revision, machine, source, data) VALUES (?, ?, ?, ?, ?)",
                values,
            )
        )


def calls_of(path, since):
    """The rows of all calls that were kept since then. Raises Wrong where there are none."""
    if path is None:
        raise Wrong("--home: names no home; allowed: --home DIR, or EXAI_HOME")
    if not path.is_file():
        raise Wrong(
            f"{path}: there is no such database; allowed: the home of a daemon that has run"
        )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            reader.row_factory = sqlite3.Row
            rows = [
                dict(row)
                for row in reader.execute("SELECT * FROM calls WHERE started_at >= ?", (since,))
            ]
    except sqlite3.Error as fault:
        raise Wrong(f"{path}: calls: {fault}; allowed: a database of this EXAI") from fault
    if not rows:
        raise Wrong(
            f"{path}: calls: there are none in this time; allowed: more hours, or a daemon that was used"
        )
    return rows
