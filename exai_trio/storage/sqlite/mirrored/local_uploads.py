"""This machine's side of a registry that all machines share: what the other side has said is remembered, and what was done while it
was away is told to it later, from the outbox.

The cleaning up of this machine never deletes a provider's file of which the other side knows.
"""

import uuid
from typing import TYPE_CHECKING, Any, Final

import attrs

from exai_trio import structs
from exai_trio.principals import OWNER
from exai_trio.storage.contracts.provider_uploads import (
    Busy,
    Claim,
    Known,
    Later,
    Offer,
    ProviderUpload,
)
from exai_trio.storage.hosted.outbox_entries import Entry, as_text
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox, add
from exai_trio.storage.sqlite.uploads import claims, file_references
from exai_trio.storage.sqlite.uploads.file_references import Referrer
from exai_trio.storage.sqlite.uploads.upload_rows import (
    TimeOf,
    by_content,
    by_id,
    database_time,
    uploads_of,
)
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

    from exai_trio.storage.sqlite.store import SqliteStore

_REMEMBER: Final = """
    INSERT INTO provider_file_uploads (id, provider, account, purpose, sha256, provider_file_id, file_id, filename,
        file_size_bytes, upload_method, upload_status, is_hosted, last_used, uploaded_at, created_at)
    VALUES (:id, :provider, :account, :purpose, :sha256, :provider_file_id, :file_id, :filename, :file_size_bytes,
        :upload_method, :upload_status, 1, :now, :uploaded_at, :now)
    ON CONFLICT (provider, account, purpose, sha256) DO UPDATE SET id = excluded.id,
        provider_file_id = excluded.provider_file_id, file_id = excluded.file_id, filename = excluded.filename,
        upload_status = excluded.upload_status, upload_method = excluded.upload_method, is_hosted = 1,
        claimed_by = '', lease_until = 0, began_at = NULL, last_used = excluded.last_used, uploaded_at = excluded.uploaded_at
"""
_REFERENCES: Final = (
    "SELECT owner, principal, ended_at IS NOT NULL FROM file_references WHERE upload = ?"
)
_UNTOLD: Final = """
    SELECT * FROM provider_file_uploads u
    WHERE provider = ? AND account = ? AND upload_status = 'completed' AND NOT is_hosted
        AND EXISTS (SELECT 1 FROM file_references WHERE upload = u.id AND principal = ?)
"""
_FORGET: Final = (
    "DELETE FROM file_references WHERE principal = ?4 AND upload IN (SELECT id FROM provider_file_uploads"
    " WHERE provider = ?1 AND account = ?2 AND provider_file_id = ?3)"
)
_EMPTY: Final = (
    "UPDATE provider_file_uploads SET provider_file_id = '', upload_status = 'deleted'"
    " WHERE provider = ? AND account = ? AND provider_file_id = ? AND reference_count = 0"
)


@structs.frozen(eq=False)
class LocalUploads:
    """The uploads of one principal. Each method is one transaction. Raises StorageError; cancelling leaves it done or not done.

    Those that are named as the contract has them are for while the other side is away: it hears of what they do."""

    _store: "SqliteStore"
    outbox: SqliteOutbox
    principal: str = OWNER
    _time_of: TimeOf = database_time

    def of(self, principal: str) -> "LocalUploads":
        return attrs.evolve(self, principal=principal)

    @property
    def quiet(self) -> SqliteUploads:
        """The same without telling, for what the other side knows already."""
        return SqliteUploads(self._store, self._time_of, self.principal)

    async def remember(self, upload: ProviderUpload, owner: str = "") -> None:
        """So it is on the other side, and `owner` refers to it."""

        def work(connection: "Connection") -> None:
            now = self._time_of(connection)
            _remember(connection, now, upload)
            if owner:
                file_references.add(connection, now, upload.id, Referrer(self.principal, owner))

        await self._store.write(work)

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy:
        who = Referrer(self.principal, owner)

        def work(connection: "Connection") -> Known | Claim | Busy:
            answer = claims.claim(connection, self._time_of(connection), offer, who, by)
            if isinstance(answer, Known):
                _tell(connection, answer.upload.id)
            return answer

        return await self._store.write(work, done=self.outbox.tell)

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None:
        def work(connection: "Connection") -> ProviderUpload | None:
            now = self._time_of(connection)
            upload = claims.finish(connection, now, claim, provider_file_id, filename)
            if upload is not None:
                _tell(connection, upload.id)
            return upload

        return await self._store.write(work, done=self.outbox.tell)

    async def take_in(self, claim: Claim, provider_file_id: str, filename: str) -> ProviderUpload:
        """The provider has what was claimed on the other side, which went away meanwhile."""
        upload = attrs.evolve(
            claim.upload,
            provider_file_id=provider_file_id,
            filename=filename,
            upload_status="completed",
        )

        def work(connection: "Connection") -> ProviderUpload:
            _remember(connection, self._time_of(connection), upload)
            _tell(connection, upload.id)
            return upload

        return await self._store.write(work, done=self.outbox.tell)

    async def increment_file_reference(self, upload_id: str, owner: str) -> bool:
        who = Referrer(self.principal, owner)

        def work(connection: "Connection") -> bool:
            now = self._time_of(connection)
            done = file_references.add_to_completed(connection, now, upload_id, who)
            if done:
                _tell(connection, upload_id)
            return done

        return await self._store.write(work, done=self.outbox.tell)

    async def decrement_file_reference(self, upload_id: str, owner: str) -> None:
        who = Referrer(self.principal, owner)

        def work(connection: "Connection") -> None:
            file_references.end(connection, self._time_of(connection), upload_id, who)
            _tell(connection, upload_id)

        await self._store.write(work, done=self.outbox.tell)

    async def end_owner(self, owner: str) -> int:
        who = Referrer(self.principal, owner)

        def work(connection: "Connection") -> int:
            held = connection.execute(
                "SELECT upload FROM file_references WHERE owner = ? AND principal = ? AND ended_at IS NULL",
                (owner, self.principal),
            ).fetchall()
            count = file_references.end_owner(connection, self._time_of(connection), who)
            for (upload_id,) in held:
                _tell(connection, upload_id)
            return count

        return await self._store.write(work, done=self.outbox.tell)

    async def abandon_file(self, provider: str, account: str, provider_file_id: str) -> Later:
        key = (provider, account, provider_file_id, self.principal)

        def work(connection: "Connection") -> Later:
            body = dict(zip(("provider", "account", "file", "principal"), key, strict=True))
            _add(connection, "abandon", provider_file_id, {**body, "lease_s": 0.0})
            _forget(connection, key)
            return Later()

        return await self._store.write(work, done=self.outbox.tell)

    async def forget(self, provider: str, account: str, provider_file_id: str) -> None:
        """The principal has abandoned it on the other side."""
        key = (provider, account, provider_file_id, self.principal)
        await self._store.write(lambda connection: _forget(connection, key))

    async def untold(self, provider: str, account: str) -> tuple[ProviderUpload, ...]:
        """What the principal holds and the other side has not heard of."""
        asked = (provider, account, self.principal)
        return await self._store.read(
            lambda connection: uploads_of(connection.execute(_UNTOLD, asked))
        )


def _remember(connection: "Connection", now: float, upload: ProviderUpload) -> None:
    """Under the id that it has there, to which what refers to it here comes along."""
    here = by_content(connection, upload.content)
    connection.execute("PRAGMA defer_foreign_keys = ON")
    is_stored = upload.upload_method in {
        "gateway",
        "storage",
    }  # a content that is not here is no fault
    file_id = upload.sha256 if is_stored else ""
    connection.execute(_REMEMBER, attrs.asdict(upload) | {"now": now, "file_id": file_id})
    if here is not None and here.id != upload.id:
        renamed = (upload.id, here.id)
        connection.execute("UPDATE file_references SET upload = ? WHERE upload = ?", renamed)
        connection.execute("UPDATE file_deletion_jobs SET upload = ? WHERE upload = ?", renamed)
        connection.execute(
            "UPDATE provider_file_uploads SET reference_count = (SELECT count(*) FROM file_references"
            " WHERE upload = ?1 AND ended_at IS NULL) WHERE id = ?1",
            (upload.id,),
        )


def _forget(connection: "Connection", key: tuple[str, str, str, str]) -> None:
    connection.execute(_FORGET, key)
    connection.execute(_EMPTY, key[:3])


def _tell(connection: "Connection", upload_id: str) -> None:
    """The other side is to hear how it stands here, if the provider has it."""
    upload = by_id(connection, upload_id)
    if upload is None or not upload.provider_file_id:
        return
    references = [
        {"owner": owner, "principal": principal, "ended": bool(ended)}
        for owner, principal, ended in connection.execute(_REFERENCES, (upload_id,))
    ]
    _add(
        connection,
        "upload",
        upload.sha256,
        {"upload": attrs.asdict(upload), "references": references},
    )


def _add(connection: "Connection", kind: str, key: str, body: dict[str, Any]) -> None:
    entry = Entry(
        id=f"{kind[0]}:{uuid.uuid4()}",
        kind=kind,
        key=f"file:{key}",
        body=as_text(body),
        at=database_time(connection),
    )
    add(connection, [entry])
