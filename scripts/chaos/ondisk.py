"""What lies in the daemon's home while no daemon runs: the journal's calls in database and log, and their size."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from exai_trio.storage.append_log.files import DiskFiles
from exai_trio.storage.append_log.framing import records_in
from exai_trio.storage.journal_events import Accepted, AnyEvent, Finished, HandedOver, decode

from .provider import MARK

_NEWEST = 50  # more than any cycle has calls


def journalled(home: Path) -> Mapping[str, bool]:
    """Whether the outcome of each of the newest calls is on disk, by the call's mark. Nothing is written."""
    with closing(sqlite3.connect(f"file:{_database(home)}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT c.session, c.request, c.frame, o.frame IS NOT NULL FROM journal_calls AS c"
            " LEFT JOIN journal_outcomes AS o ON o.session = c.session AND o.request = c.request"
            " ORDER BY c.rowid DESC LIMIT ?",
            (_NEWEST,),
        ).fetchall()
        (folded,) = connection.execute("SELECT max(segment) FROM journal_folded").fetchone()
    calls: dict[tuple[str, str], tuple[str, bool]] = {
        row[:2]: (row[2], bool(row[3])) for row in rows
    }
    for event in _logged(home, folded or 0):
        _follow(calls, event)
    found = ((MARK.search(frame), ended) for frame, ended in calls.values())
    return {mark.group(): ended for mark, ended in found if mark}


def _logged(home: Path, folded: int) -> Iterator[AnyEvent]:
    """What the log has, and the database has not yet; not what a kill has torn, which is kept aside."""
    for number in DiskFiles(_database(home)).numbers():
        if number > folded:
            content = _database(home).with_name(f"exai.db.calls-{number}").read_bytes()
            yield from (decode(body) for _, body in records_in(number, content))


def _follow(calls: dict[tuple[str, str], tuple[str, bool]], event: AnyEvent) -> None:
    match event:
        case Accepted(call):
            calls[call.session, call.request] = call.frame, False
        case Finished(session, request) | HandedOver(session, request):
            frame, _ = calls.get((session, request), ("", False))
            calls[session, request] = frame, True
        case _:
            pass


def database_size(home: Path) -> int:
    """Bytes, with what is written ahead and the log of calls."""
    return sum(path.stat().st_size for path in _database(home).parent.glob("exai.db*"))


def _database(home: Path) -> Path:
    return home / "exai" / "state" / "exai.db"
