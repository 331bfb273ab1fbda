"""The registry of uploaded files: one over the SQLite store, one that forgets.

Both pass the same contract tests.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs
import trio

from exai_trio import structs
from exai_trio.principals import OWNER
from exai_trio.storage.base import Upload, UploadIntent

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

_FIELDS = tuple(field.name for field in attrs.fields(Upload))
_COLUMNS = ", ".join(_FIELDS)
_VALUES = ", ".join("?" for _ in _FIELDS)
_BEGIN = """
    INSERT OR REPLACE INTO upload_intents (provider, account, sha256, purpose, filename, size, at, principal)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_BEGUN = """
    SELECT provider, account, sha256, purpose, filename, size, at FROM upload_intents
    WHERE provider = ? AND account = ? AND sha256 = ? AND purpose = ? AND principal = ?
"""
_ARRIVED = """
    DELETE FROM upload_intents
    WHERE provider = ? AND account = ? AND sha256 = ? AND purpose = ? AND principal = ?
"""
_INTENT_FIELDS = tuple(field.name for field in attrs.fields(UploadIntent))
_CONTENT = "provider = ? AND account = ? AND sha256 = ? AND purpose = ? AND principal = ?"


@structs.frozen
class SqliteUploads:
    """A FileRegistry of the principal of an open store, in its file."""

    _store: "SqliteStore"

    def of(self, principal: str) -> "SqliteUploads":
        return SqliteUploads(self._store.of(principal))

    @property
    def _principal(self) -> str:
        return self._store.principal

    async def find_upload(
        self, provider: str, account: str, sha256: str, purpose: str
    ) -> Upload | None:
        found = await self._store.read(
            lambda connection: _select(
                connection,
                _CONTENT,
                (provider, account, sha256, purpose, self._principal),
            )
        )
        return found[-1] if found else None

    async def begin_upload(self, intent: UploadIntent) -> None:
        values = (*attrs.astuple(intent), self._principal)
        await self._store.write(lambda connection: connection.execute(_BEGIN, values))

    async def begun_upload(
        self, provider: str, account: str, sha256: str, purpose: str
    ) -> UploadIntent | None:
        key = (provider, account, sha256, purpose, self._principal)
        row = await self._store.read(lambda connection: connection.execute(_BEGUN, key).fetchone())
        return UploadIntent(**dict(zip(_INTENT_FIELDS, row, strict=True))) if row else None

    async def note_upload(self, upload: Upload) -> None:
        own = attrs.evolve(upload, principal=self._principal)
        await self._store.write(lambda connection: _note(connection, own))

    async def uploads(self, provider: str, account: str) -> tuple[Upload, ...]:
        return await self._store.read(
            lambda connection: _select(
                connection,
                "provider = ? AND account = ? AND principal = ?",
                (provider, account, self._principal),
            )
        )

    async def forget_upload(self, provider: str, account: str, file_id: str) -> None:
        key = (provider, account, file_id, self._principal)
        await self._store.write(lambda connection: _forget(connection, key))

    async def holders(self, provider: str, account: str) -> dict[str, frozenset[str]]:
        return await self._store.read(lambda connection: _holders(connection, (provider, account)))


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
    content = (upload.provider, upload.account, upload.sha256, upload.purpose, upload.principal)
    connection.execute(_ARRIVED, content)


def _forget(connection: "sqlite3.Connection", key: tuple[str, str, str, str]) -> None:
    connection.execute(
        "DELETE FROM uploads WHERE provider = ? AND account = ? AND file_id = ? AND principal = ?",
        key,
    )


def _holders(connection: "sqlite3.Connection", key: tuple[str, str]) -> dict[str, frozenset[str]]:
    rows = connection.execute(
        "SELECT file_id, principal FROM uploads WHERE provider = ? AND account = ?", key
    )
    return _by_file(rows)


def _by_file(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    held: dict[str, frozenset[str]] = {}
    for file_id, principal in pairs:
        held[file_id] = held.get(file_id, frozenset()) | {principal}
    return held


Key = tuple[str, str, str, str]
"""Provider, account, id of the file and principal."""
Content = tuple[str, str, str, str, str]
"""Provider, account, hash of the content, purpose and principal."""


@structs.define
class MemoryUploads:
    """A FileRegistry that forgets."""

    _uploads: dict[Key, Upload] = attrs.field(factory=dict[Key, Upload])
    _begun: dict[Content, UploadIntent] = attrs.field(factory=dict[Content, UploadIntent])
    _principal: str = OWNER

    def of(self, principal: str) -> "MemoryUploads":
        return attrs.evolve(self, principal=principal)

    async def find_upload(
        self, provider: str, account: str, sha256: str, purpose: str
    ) -> Upload | None:
        found = [
            upload
            for upload in await self.uploads(provider, account)
            if (upload.sha256, upload.purpose) == (sha256, purpose)
        ]
        return found[-1] if found else None

    async def begin_upload(self, intent: UploadIntent) -> None:
        await trio.lowlevel.checkpoint()
        self._begun[self._content(intent)] = intent

    async def begun_upload(
        self, provider: str, account: str, sha256: str, purpose: str
    ) -> UploadIntent | None:
        await trio.lowlevel.checkpoint()
        return self._begun.get((provider, account, sha256, purpose, self._principal))

    def _content(self, of: Upload | UploadIntent) -> Content:
        return (of.provider, of.account, of.sha256, of.purpose, self._principal)

    async def note_upload(self, upload: Upload) -> None:
        await trio.lowlevel.checkpoint()
        self._begun.pop(self._content(upload), None)
        key = (upload.provider, upload.account, upload.file_id, self._principal)
        self._uploads.pop(key, None)
        self._uploads[key] = attrs.evolve(upload, principal=self._principal)

    async def uploads(self, provider: str, account: str) -> tuple[Upload, ...]:
        await trio.lowlevel.checkpoint()
        whose = (provider, account, self._principal)
        mine = [u for u in self._uploads.values() if (u.provider, u.account, u.principal) == whose]
        return tuple(sorted(mine, key=lambda upload: upload.uploaded_at))

    async def forget_upload(self, provider: str, account: str, file_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._uploads.pop((provider, account, file_id, self._principal), None)

    async def holders(self, provider: str, account: str) -> dict[str, frozenset[str]]:
        await trio.lowlevel.checkpoint()
        of_account = [
            u for u in self._uploads.values() if (u.provider, u.account) == (provider, account)
        ]
        return _by_file((upload.file_id, upload.principal) for upload in of_account)
