"""The uploads of one tool call: each file claimed, stored if it is large, sent or found to be there, and referred to by the call."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.filestore import strategy
from exai_trio.filestore.adoption import Shelved
from exai_trio.filestore.checked_pieces import checked_pieces
from exai_trio.filestore.file_gateway import FileGateway, Given
from exai_trio.filestore.strategy import LARGEST_DIRECT, Wanted
from exai_trio.storage.contracts.provider_uploads import (
    Busy,
    Claim,
    Content,
    Known,
    Offer,
    ProviderUpload,
    UploadMethod,
    UploadRegistry,
)
from exai_trio.tools.base import Caller, Services
from exai_trio.tools.files.shelves import CallShelf, GatewayShelf, UploadRecipient

if TYPE_CHECKING:
    from exai_trio.workspace.upload_source import Opened

NOTE_S: Final = 2.0  # for a note that cancelling must not cut
STORAGE: Final = "storage"


@structs.frozen
class ShieldedClaims:
    """The registry as a call uses it: what has arrived at a provider is noted even if the call is cancelled then."""

    _registry: UploadRegistry

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy:
        return await self._registry.claim_upload(offer, owner, by)

    async def note_object(self, claim: Claim, file_id: str) -> bool:
        return await self._registry.note_object(claim, file_id)

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None:
        with trio.move_on_after(NOTE_S, shield=True):
            return await self._registry.finish_upload(claim, provider_file_id, filename)
        return None

    async def fail_upload(self, claim: Claim, error: str, owner: str) -> None:
        with trio.move_on_after(NOTE_S, shield=True):
            await self._registry.fail_upload(claim, error, owner)

    async def note_gone(self, upload_id: str, provider_file_id: str) -> None:
        await self._registry.note_gone(upload_id, provider_file_id)

    async def holders(self, provider: str, account: str) -> Mapping[str, frozenset[str]]:
        return await self._registry.holders(provider, account)


@structs.define
class Uploading:
    """What the provider holds is asked at most once, when something could be used again."""

    services: Services
    caller: Caller
    provider: str
    account: str
    purpose: str
    shelf: CallShelf = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.shelf = CallShelf(GatewayShelf(self.services.gateway, self.provider, self.caller))

    async def one(self, path: str) -> Given:
        """Raises: ArgumentError, NotFoundError, ProviderError, StorageError, OverCapacityError.
        Cancelling leaves what arrived at the provider noted, or to be found by the next call."""
        services = self.services
        async with services.files.opened(
            path, self.caller.roots, self._way, LARGEST_DIRECT
        ) as opened:
            offer = self._offer(opened)
            key = attrs.astuple(offer.content)
            async with services.uploads.turns.alone(*key):
                given = await self._gateway(opened, offer).give()
        services.uploads.saved.note(opened.size, was_there=given.was_there)
        return given

    def _way(self, size: int, name: str) -> UploadMethod:
        limit = self.services.gateway.file_limits.get(self.provider)
        return strategy.way(Wanted(size=size, provider=self.provider, name=name, limit=limit))

    def _offer(self, opened: "Opened") -> Offer:
        method = self._way(opened.size, opened.path.name)
        kept = method == STORAGE
        content = Content(
            provider=STORAGE if kept else self.provider,
            account="" if kept else self.account,
            purpose="" if kept else self.purpose,
            sha256=opened.sha256,
        )
        return Offer(content=content, filename=opened.path.name, size=opened.size, method=method)

    def _gateway(self, opened: "Opened", offer: Offer) -> FileGateway:
        registry = self.services.uploads.registry.of(self.caller.principal)
        objects = self.services.uploads.objects

        async def store() -> str:
            opened.file.seek(0)
            self._say("storing", opened)
            async with checked_pieces(opened.file, objects.limiter, opened.check) as pieces:
                facts = await objects.put(opened.sha256, opened.size, pieces)
                # One that is there already may have been allowed under another name or setting.
                if opened.file.tell() == 0:
                    async for _ in pieces:
                        pass
            return facts.file_id

        recipient = UploadRecipient(
            shelf=self.shelf,
            purpose=self.purpose,
            opened=opened,
            renew=registry.renew_claim,
            starting=lambda: self._say("uploading", opened),
            stored=None if offer.method == "direct" else objects.open_file,
        )
        return FileGateway(
            registry=ShieldedClaims(registry),
            recipient=StorageRecipient(opened) if offer.method == STORAGE else recipient,
            offer=offer,
            owner=owner_of(self.caller),
            by=owner_of(self.caller),
            wait=trio.sleep,
            store=None if offer.method == "direct" else store,
        )

    def _say(self, stage: str, opened: "Opened") -> None:
        self.caller.stage(stage, f"{opened.path.name}, {opened.size:,} bytes, to {self.provider}")


def owner_of(caller: Caller) -> str:
    """The call as one that refers to uploads; the same for each run of it."""
    return f"call:{caller.idempotency_key}"


@structs.frozen
class OnlyStored:
    """A file that no provider has: the stored object itself, under the hash of its content."""

    id: str
    filename: str
    size: int
    created_at: int = 0


@structs.frozen
class StorageRecipient:
    """For what is too large for any provider: what is stored has arrived."""

    opened: "Opened"

    async def send(self, claim: Claim) -> Shelved:
        """It is there already; cancelling changes nothing."""
        await trio.lowlevel.checkpoint()
        return self._file

    async def listed(self, *, fresh: bool = False) -> tuple[Shelved, ...]:
        await trio.lowlevel.checkpoint()
        return (self._file,)

    @property
    def _file(self) -> OnlyStored:
        return OnlyStored(self.opened.sha256, self.opened.path.name, self.opened.size)
