"""Rows of uploads as values, and the database's clock."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from exai_trio.storage.contracts.provider_uploads import Content, ProviderUpload

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

TimeOf = Callable[["Connection"], float]

_FIELDS: Final = tuple(field.name for field in attrs.fields(ProviderUpload))
COLUMNS: Final = ", ".join(f"u.{field}" for field in _FIELDS)
_BY_ID: Final = f"SELECT {COLUMNS} FROM provider_file_uploads u WHERE id = ?"  # noqa: S608 - our own words
_BY_CONTENT: Final = (
    f"SELECT {COLUMNS} FROM provider_file_uploads u"  # noqa: S608 - our own words
    " WHERE provider = ? AND account = ? AND purpose = ? AND sha256 = ?"
)


def database_time(connection: "Connection") -> float:
    """Unix seconds; the same for all who share the file."""
    (now,) = connection.execute("SELECT (julianday('now') - 2440587.5) * 86400.0").fetchone()
    return float(now)


def upload_of(row: tuple[object, ...]) -> ProviderUpload:
    return ProviderUpload(**dict(zip(_FIELDS, row, strict=True)))  # type: ignore[arg-type]  # the columns are the fields


def by_id(connection: "Connection", upload_id: str) -> ProviderUpload | None:
    row = connection.execute(_BY_ID, (upload_id,)).fetchone()
    return upload_of(row) if row else None


def by_content(connection: "Connection", content: Content) -> ProviderUpload | None:
    row = connection.execute(_BY_CONTENT, attrs.astuple(content)).fetchone()
    return upload_of(row) if row else None
