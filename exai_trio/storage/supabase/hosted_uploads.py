"""The registry of uploads at Supabase: each method is one function of its database, by that database's clock."""

from typing import Any, Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.principals import OWNER
from exai_trio.storage.contracts.cleanup_records import DeletionJob
from exai_trio.storage.contracts.provider_uploads import Busy, Claim, Known, Offer, ProviderUpload
from exai_trio.storage.hosted.function_calls import Functions, ask

LEASE_S: Final = 30.0  # renewed while bytes flow
_JOB_S: Final = 60.0


class _Claimed(msgspec.Struct):
    """What `claim_upload` returns: a known upload, a claim, or how long to wait."""

    upload: ProviderUpload | None = None
    held: bool = False
    fence: int | None = None
    rivals: int = 0
    wait_s: float = 0.0


@structs.frozen(eq=False)
class SupabaseUploads:
    """An UploadRegistry of one principal. Raises HostedFault; cancelling leaves it done or not done, and asked again it is done once."""

    _functions: Functions
    principal: str = OWNER

    def of(self, principal: str) -> "SupabaseUploads":
        return attrs.evolve(self, principal=principal)

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy:
        said: _Claimed = await self._ask(
            "claim_upload",
            _Claimed,
            **attrs.asdict(offer.content),
            filename=offer.filename,
            size=offer.size,
            method=offer.method,
            owner=owner,
            by=by,
            lease_s=LEASE_S,
        )
        if said.upload is None:
            return Busy(wait_s=said.wait_s)
        if said.fence is None:
            return Known(upload=said.upload, held_before=said.held)
        return Claim(upload=said.upload, fence=said.fence, rivals=said.rivals, is_hosted=True)

    async def renew_claim(self, claim: Claim) -> bool:
        return await self._flag("renew_upload", **_fenced(claim), lease_s=LEASE_S)

    async def note_object(self, claim: Claim, file_id: str) -> bool:
        return await self._flag("exai_note_object", **_fenced(claim), file=file_id)

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None:
        upload = attrs.asdict(claim.upload)
        found: ProviderUpload | None = await self._ask(
            "finish_upload",
            ProviderUpload | None,
            upload={name: upload[name] for name in _NAMED},
            fence=claim.fence,
            file=provider_file_id,
            filename=filename,
        )
        return found

    async def fail_upload(self, claim: Claim, error: str, owner: str) -> None:
        await self._ask("fail_upload", None, **_fenced(claim), error=error, owner=owner)

    async def note_gone(self, upload_id: str, provider_file_id: str) -> None:
        await self._ask("exai_note_gone", None, id=upload_id, file=provider_file_id)

    async def increment_file_reference(self, upload_id: str, owner: str) -> bool:
        return await self._flag("increment_file_reference", id=upload_id, owner=owner)

    async def decrement_file_reference(self, upload_id: str, owner: str) -> None:
        await self._ask("decrement_file_reference", None, id=upload_id, owner=owner)

    async def end_owner(self, owner: str) -> int:
        ended: int = await self._ask("exai_end_owner", int, owner=owner)
        return ended

    async def abandon_file(
        self, provider: str, account: str, provider_file_id: str
    ) -> DeletionJob | None:
        key = {"provider": provider, "account": account, "file": provider_file_id}
        job: DeletionJob | None = await self._ask(
            "exai_abandon", DeletionJob | None, **key, lease_s=_JOB_S
        )
        return job and attrs.evolve(job, is_hosted=True)

    async def uploads(self, provider: str, account: str) -> tuple[ProviderUpload, ...]:
        found: tuple[ProviderUpload, ...] = await self._ask(
            "exai_held_uploads", tuple[ProviderUpload, ...], provider=provider, account=account
        )
        return found

    async def holders(self, provider: str, account: str) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = await self._ask(
            "exai_holders", dict[str, frozenset[str]], provider=provider, account=account
        )
        return found

    async def _flag(self, function: str, **body: Any) -> bool:
        return bool(await self._ask(function, bool, **body))

    async def _ask(self, function: str, returned: Any, **body: Any) -> Any:
        return await ask(self._functions, function, returned, principal=self.principal, **body)


_NAMED: Final = ("id", "provider", "account", "purpose", "sha256", "filename", "file_size_bytes")


def _fenced(claim: Claim) -> dict[str, Any]:
    return {"id": claim.upload.id, "fence": claim.fence}
