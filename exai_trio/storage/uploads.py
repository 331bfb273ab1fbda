"""The registry of uploaded files: one over the SQLite store, one that forgets. Both pass the same contract tests."""

from typing import TYPE_CHECKING

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.base import Upload

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite import SqliteStore

_FIELDS = tuple(field.name for field in attrs.fields(Upload))
_COLUMNS = ", ".join(_FIELDS)
_VALUES = ", ".join("?" for _ in _FIELDS)


@structs.frozen
class SqliteUploads:
    """A FileRegistry in the file of an open store."""

    _store: "SqliteStore"

    async def find_upload(
        self, provider: str, account: str, sha256: str, purpose: str
    ) -> Upload | None:
        found = await self._store.read(
            lambda connection: _select(
                connection,
                "provider = ? AND account = ? AND sha256 = ? AND purpose = ?",
                (provider, account, sha256, purpose),
            )
        )
        return found[-1] if found else None

    async def note_upload(self, upload: Upload) -> None:
        await self._store.write(lambda connection: _note(connection, upload))

    async def uploads(self, provider: str, account: str) -> tuple[Upload, ...]:
        return await self._store.read(
            lambda connection: _select(
                connection, "provider = ? AND account = ?", (provider, account)
            )
        )

    async def forget_upload(self, provider: str, account: str, file_id: str) -> None:
        await self._store.write(
            lambda connection: _forget(connection, (provider, account, file_id))
        )


def _select(
    connection: "sqlite3.Connection", where: str, values: tuple[str, ...]
) -> tuple[Upload, ...]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM uploads WHERE {where} ORDER BY uploaded_at, rowid",  # noqa: S608 - our own words
        values,
    )
    return tuple(Upload(**dict(zip(_FIELDS, row, strict=True))) for row in rows)


def _note(connection: "sqlite3.Connection", upload: Upload) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO uploads ({_COLUMNS}) VALUES ({_VALUES})",  # noqa: S608 - our own words
        attrs.astuple(upload),
    )


def _forget(connection: "sqlite3.Connection", key: tuple[str, str, str]) -> None:
    connection.execute(
        "DELETE FROM uploads WHERE provider = ? AND account = ? AND file_id = ?", key
    )


@structs.define
class MemoryUploads:
    """A FileRegistry that forgets."""

    _uploads: dict[tuple[str, str, str], Upload] = attrs.field(
        factory=dict[tuple[str, str, str], Upload]
    )

    async def find_upload(
        self, provider: str, account: str, sha256: str, purpose: str
    ) -> Upload | None:
        found = [
            upload
            for upload in await self.uploads(provider, account)
            if (upload.sha256, upload.purpose) == (sha256, purpose)
        ]
        return found[-1] if found else None

    async def note_upload(self, upload: Upload) -> None:
        await trio.lowlevel.checkpoint()
        key = (upload.provider, upload.account, upload.file_id)
        self._uploads.pop(key, None)
        self._uploads[key] = upload

    async def uploads(self, provider: str, account: str) -> tuple[Upload, ...]:
        await trio.lowlevel.checkpoint()
        mine = [u for u in self._uploads.values() if (u.provider, u.account) == (provider, account)]
        return tuple(sorted(mine, key=lambda upload: upload.uploaded_at))

    async def forget_upload(self, provider: str, account: str, file_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._uploads.pop((provider, account, file_id), None)
