"""The registry of uploads in the SQLite file."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs

from exai_trio import structs
from exai_trio.principals import OWNER
from exai_trio.storage.contracts.cleanup_records import DeletionJob
from exai_trio.storage.contracts.provider_uploads import Busy, Claim, Known, Offer, ProviderUpload
from exai_trio.storage.sqlite.uploads import claims, file_references
from exai_trio.storage.sqlite.uploads.file_references import Referrer
from exai_trio.storage.sqlite.uploads.upload_rows import TimeOf, database_time

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

T = TypeVar("T")


class Database(Protocol):
    """Whoever runs statements: each piece of work in a transaction. Raises StorageError; cancelling leaves it done whole or not at
    all."""

    async def read(self, query: Callable[["Connection"], T]) -> T: ...

    async def write(self, work: Callable[["Connection"], T]) -> T: ...


@structs.frozen
class SqliteUploads:
    """An UploadRegistry of one principal, in an open database."""

    _database: Database
    _time_of: TimeOf = database_time
    principal: str = OWNER

    def of(self, principal: str) -> "SqliteUploads":
        return attrs.evolve(self, principal=principal)

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy:
        return await self._write(claims.claim, offer, self._who(owner), by)

    async def renew_claim(self, claim: Claim) -> bool:
        return await self._write(claims.renew, claim)

    async def note_object(self, claim: Claim, file_id: str) -> bool:
        return await self._write(claims.note_object, claim, file_id)

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None:
        return await self._write(claims.finish, claim, provider_file_id, filename)

    async def fail_upload(self, claim: Claim, error: str, owner: str) -> None:
        def fail(connection: "Connection", now: float) -> None:
            claims.fail(connection, now, claim, error)
            file_references.end(connection, now, claim.upload.id, self._who(owner))

        await self._write(fail)

    async def note_gone(self, upload_id: str, provider_file_id: str) -> None:
        await self._database.write(
            lambda connection: claims.note_gone(connection, upload_id, provider_file_id)
        )

    async def increment_file_reference(self, upload_id: str, owner: str) -> bool:
        return await self._write(file_references.add_to_completed, upload_id, self._who(owner))

    async def decrement_file_reference(self, upload_id: str, owner: str) -> None:
        await self._write(file_references.end, upload_id, self._who(owner))

    async def end_owner(self, owner: str) -> int:
        return await self._write(file_references.end_owner, self._who(owner))

    async def abandon_file(
        self, provider: str, account: str, provider_file_id: str
    ) -> DeletionJob | None:
        key = (provider, account, provider_file_id)
        return await self._write(file_references.abandon, self.principal, key)

    async def uploads(self, provider: str, account: str) -> tuple[ProviderUpload, ...]:
        return await self._database.read(
            lambda connection: file_references.uploads(
                connection, self.principal, provider, account
            )
        )

    async def holders(self, provider: str, account: str) -> dict[str, frozenset[str]]:
        return await self._database.read(
            lambda connection: file_references.holders(connection, provider, account)
        )

    def _who(self, owner: str) -> Referrer:
        return Referrer(self.principal, owner)

    async def _write(self, work: Callable[..., T], *given: object) -> T:
        """With the database's time, as it is in the transaction."""
        return await self._database.write(
            lambda connection: work(connection, self._time_of(connection), *given)
        )
