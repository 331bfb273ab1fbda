"""Rows of uploads as values, and the database's clock."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from exai_trio.storage.contracts.provider_uploads import Content, ProviderUpload

if TYPE_CHECKING:  # one module imports it
    import sqlite3

TimeOf = Callable[["sqlite3.Connection"], float]

_FIELDS: Final = frozenset(field.name for field in attrs.fields(ProviderUpload))


def database_time(connection: "sqlite3.Connection") -> float:
    """Unix seconds; the same for all who share the file."""
    (now,) = connection.execute("SELECT (julianday('now') - 2440587.5) * 86400.0").fetchone()
    return float(now)


def uploads_of(rows: "sqlite3.Cursor") -> tuple[ProviderUpload, ...]:
    """Of whole rows; columns that are the registry's own are left out."""
    names = [column[0] for column in rows.description]
    return tuple(
        ProviderUpload(
            **{name: value for name, value in zip(names, row, strict=True) if name in _FIELDS}
        )
        for row in rows.fetchall()
    )


def by_id(connection: "sqlite3.Connection", upload_id: str) -> ProviderUpload | None:
    rows = connection.execute("SELECT * FROM provider_file_uploads WHERE id = ?", (upload_id,))
    return next(iter(uploads_of(rows)), None)


def by_content(connection: "sqlite3.Connection", content: Content) -> ProviderUpload | None:
    rows = connection.execute(
        "SELECT * FROM provider_file_uploads WHERE provider = ? AND account = ? AND purpose = ? AND sha256 = ?",
        attrs.astuple(content),
    )
    return next(iter(uploads_of(rows)), None)
