"""A file of an older EXAI becomes one of today, or is refused if it is not ours.

The tables are `schema`'s.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from exai_trio.storage.sqlite.batches import transaction
from exai_trio.storage.sqlite.error_kinds import NotOurs
from exai_trio.storage.sqlite.file.database_file import make_private
from exai_trio.storage.sqlite.file.schema import APPLICATION_ID, STEPS

if TYPE_CHECKING:  # one module imports it
    import sqlite3


def upgrade(connection: "sqlite3.Connection", path: Path) -> None:
    """Raises NotOurs, and what sqlite3 raises. A file of an older schema is kept beside it, as `kept_before` names it."""
    version = schema_version(connection, path)
    if 0 < version < len(STEPS):
        _keep(connection, kept_before(path, version))
    # IMMEDIATE: two daemons that start at once must not both take the steps.
    with transaction(connection, "IMMEDIATE"):
        version = schema_version(connection, path)
        for step in STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def kept_before(path: Path, version: int) -> Path:
    """Where the file is that was there before its schema of this number was changed."""
    return path.with_name(f"{path.name}.schema-{version}")


def _keep(connection: "sqlite3.Connection", target: Path) -> None:
    """It has its name only once it is whole."""
    new = target.with_name(f"{target.name}.new")
    new.unlink(missing_ok=True)
    make_private(new)
    connection.execute("VACUUM INTO ?", (str(new),))
    new.replace(target)


def schema_version(connection: "sqlite3.Connection", path: Path) -> int:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and (owner or version or tables):
        raise NotOurs(
            f"{path} is a database of another program. Move it away, or set EXAI_HOME to another directory."
        )
    if version > len(STEPS):
        raise NotOurs(
            f"{path} was made by a newer EXAI (schema {version}; this one knows {len(STEPS)})."
            " Upgrade EXAI, or set EXAI_HOME to another directory."
        )
    return int(version)
