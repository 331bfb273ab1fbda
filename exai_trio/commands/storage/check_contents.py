"""What is wrong with the files that a home keeps: a content that is missing or is not what was stored, a count that is not that of its rows."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exai_trio.storage.sqlite.database_copies import looked_into
from exai_trio.system.private_files import open_at_once

if TYPE_CHECKING:
    from sqlite3 import Connection

_SAMPLE: Final = 20  # contents, the newest, that are hashed without --full
_BLOCK: Final = 2**20
_HAS_TABLE: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'unsent_objects'"
# A copy of what other machines share may be gone.
_STORED: Final = (
    "SELECT sha256, min(is_hosted) FROM provider_file_uploads"
    " WHERE file_id <> '' AND upload_status <> 'pending' GROUP BY sha256 ORDER BY max(last_used) DESC"
)
_MISCOUNTED: Final = (
    "SELECT id FROM provider_file_uploads u WHERE reference_count <>"
    " (SELECT count(*) FROM file_references r WHERE r.upload = u.id AND r.ended_at IS NULL)"
)


def faults_of_contents(database: Path, folder: Path, *, full: bool) -> Iterator[str]:
    """One sentence each; none of a file of an older schema. Raises StorageError."""
    with looked_into(database) as connection:
        if connection.execute(_HAS_TABLE).fetchone() is None:
            return
        stored = connection.execute(_STORED).fetchall()
        yield from _miscounted(connection)
    for number, (sha256, is_hosted) in enumerate(stored):
        path = folder / sha256[:2] / sha256
        yield from _of_content(
            path, sha256, is_copy=bool(is_hosted), hashed=full or number < _SAMPLE
        )


def _miscounted(connection: "Connection") -> Iterator[str]:
    for (upload,) in connection.execute(_MISCOUNTED):
        yield f"files: the reference_count of upload {upload} is wrong"


def _of_content(path: Path, sha256: str, *, is_copy: bool, hashed: bool) -> Iterator[str]:
    try:
        with open_at_once(path) as file:
            digest = hashlib.sha256()
            while hashed and (block := file.read(_BLOCK)):
                digest.update(block)
    except FileNotFoundError:
        if not is_copy:
            yield f"files: the content {sha256} is missing; the next upload of it stores it again"
        return
    except OSError as fault:
        yield f"files: {fault}"
        return
    if hashed and digest.hexdigest() != sha256:
        yield f"files: the content {sha256} is not what was stored (SHA-256); it is not used any more"
