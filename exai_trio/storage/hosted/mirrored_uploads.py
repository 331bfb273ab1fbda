"""A registry of uploads of two sides: all machines claim on the hosted one; while it is away this machine's own is used, and told of later.
No SQL, no HTTP."""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import attrs

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import DeletionJob
from exai_trio.storage.contracts.provider_uploads import (
    Busy,
    Claim,
    Known,
    Later,
    Offer,
    ProviderUpload,
    UploadRegistry,
)
from exai_trio.storage.hosted.hosted_faults import HostedFault

log = logging.getLogger("exai.storage")

T = TypeVar("T")


class LocalRegistry(Protocol):
    """This machine's side, of one principal: the methods of the contract tell the hosted side later of what they do, those of `quiet`
    do not. Raises and cancels as the contract does."""

    @property
    def quiet(self) -> UploadRegistry: ...

    def of(self, principal: str) -> "LocalRegistry": ...

    async def remember(self, upload: ProviderUpload, owner: str = "") -> None: ...

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy: ...

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None: ...

    async def take_in(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload: ...

    async def increment_file_reference(self, upload_id: str, owner: str) -> bool: ...

    async def decrement_file_reference(self, upload_id: str, owner: str) -> None: ...

    async def end_owner(self, owner: str) -> int: ...

    async def abandon_file(self, provider: str, account: str, provider_file_id: str) -> Later: ...

    async def forget(self, provider: str, account: str, provider_file_id: str) -> None: ...

    async def untold(self, provider: str, account: str) -> tuple[ProviderUpload, ...]: ...


class HostedRegistry(UploadRegistry, Protocol):
    """The hosted side, of one principal. Raises HostedFault."""

    def of(self, principal: str) -> "HostedRegistry": ...


@structs.frozen(eq=False)
class MirroredUploads:
    """An UploadRegistry of one principal. No outage raises; cancelling leaves a change done or not done on either side."""

    local: LocalRegistry
    hosted: HostedRegistry

    def of(self, principal: str) -> "MirroredUploads":
        return attrs.evolve(self, local=self.local.of(principal), hosted=self.hosted.of(principal))

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy:
        try:
            answer = await self.hosted.claim_upload(offer, owner, by)
        except HostedFault as fault:
            _note("claim", fault)
            return await self.local.claim_upload(offer, owner, by)
        if isinstance(answer, Known):
            await self.local.remember(answer.upload, owner)
        if isinstance(answer, Claim):
            await self.local.remember(_unfinished(answer.upload, offer), owner)
        return answer

    async def renew_claim(self, claim: Claim) -> bool:
        """Raises HostedFault, too: whether the claim is still ours is then found out when it is finished."""
        if claim.is_hosted:
            return await self.hosted.renew_claim(claim)
        return await self.local.quiet.renew_claim(claim)

    async def note_object(self, claim: Claim, file_id: str) -> bool:
        """`file_id` is "" of a content that is on this machine alone: whoever sends it tells of it then, or has by now. While the other
        side is away nobody knows better."""
        if not claim.is_hosted:
            return await self.local.quiet.note_object(claim, claim.upload.sha256)
        told = self.hosted.note_object(claim, file_id) if file_id else self.hosted.renew_claim(claim)  # fmt: skip
        return await self._or("object", told, _yes)

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None:
        if not claim.is_hosted:
            return await self.local.finish_upload(claim, provider_file_id, filename)
        try:
            upload = await self.hosted.finish_upload(claim, provider_file_id, filename)
        except HostedFault as fault:
            _note("finish", fault)
            return await self.local.take_in(claim, provider_file_id, filename)
        if upload is not None:
            await self.local.remember(upload)
        return upload

    async def fail_upload(self, claim: Claim, error: str, owner: str) -> None:
        """What the other side does not hear ends there by itself: the lease, and a day later the call's reference."""
        if claim.is_hosted:
            await self._or("failure", self.hosted.fail_upload(claim, error, owner), _nothing)
            await self.local.quiet.decrement_file_reference(claim.upload.id, owner)
        else:
            await self.local.quiet.fail_upload(claim, error, owner)

    async def note_gone(self, upload_id: str, provider_file_id: str) -> None:
        await self._or("gone", self.hosted.note_gone(upload_id, provider_file_id), _nothing)
        await self.local.quiet.note_gone(upload_id, provider_file_id)

    async def increment_file_reference(self, upload_id: str, owner: str) -> bool:
        """One that was made while the other side was away is told of again."""
        hosted = self.hosted.increment_file_reference(upload_id, owner)
        if await self._or("reference", hosted, _no):
            await self.local.quiet.increment_file_reference(upload_id, owner)
            return True
        return await self.local.increment_file_reference(upload_id, owner)

    async def decrement_file_reference(self, upload_id: str, owner: str) -> None:
        try:
            await self.hosted.decrement_file_reference(upload_id, owner)
        except HostedFault as fault:
            _note("reference", fault)
            await self.local.decrement_file_reference(upload_id, owner)
            return
        await self.local.quiet.decrement_file_reference(upload_id, owner)

    async def end_owner(self, owner: str) -> int:
        try:
            count = await self.hosted.end_owner(owner)
        except HostedFault as fault:
            _note("owner", fault)
            return await self.local.end_owner(owner)
        return max(count, await self.local.quiet.end_owner(owner))

    async def abandon_file(
        self, provider: str, account: str, provider_file_id: str
    ) -> DeletionJob | Later | None:
        try:
            job = await self.hosted.abandon_file(provider, account, provider_file_id)
        except HostedFault as fault:
            _note("abandon", fault)
            return await self.local.abandon_file(provider, account, provider_file_id)
        await self.local.forget(provider, account, provider_file_id)
        return job

    async def uploads(self, provider: str, account: str) -> tuple[ProviderUpload, ...]:
        try:
            found = await self.hosted.uploads(provider, account)
        except HostedFault as fault:
            _note("uploads", fault)
            return await self.local.quiet.uploads(provider, account)
        known = {upload.provider_file_id for upload in found}
        untold = await self.local.untold(provider, account)
        return (*found, *(each for each in untold if each.provider_file_id not in known))

    async def holders(self, provider: str, account: str) -> dict[str, frozenset[str]]:
        here = await self.local.quiet.holders(provider, account)
        try:
            there = await self.hosted.holders(provider, account)
        except HostedFault as fault:
            _note("holders", fault)
            return dict(here)
        names = {*here, *there}
        return {name: here.get(name, frozenset()) | there.get(name, frozenset()) for name in names}

    @staticmethod
    async def _or(what: str, asked: Awaitable[T], otherwise: Callable[[], T]) -> T:
        try:
            return await asked
        except HostedFault as fault:
            _note(what, fault)
            return otherwise()


def _unfinished(upload: ProviderUpload, offer: Offer) -> ProviderUpload:
    """As it is remembered here until the provider has it."""
    return attrs.evolve(
        upload,
        provider_file_id="",
        upload_status="failed",
        filename=offer.filename,
        upload_method=offer.method,
    )


def _note(what: str, fault: HostedFault) -> None:
    log.info("an upload is looked after on this machine alone", extra={"step": what, "reason": fault.reason})  # fmt: skip


def _yes() -> bool:
    return True


def _no() -> bool:
    return False


def _nothing() -> None:
    return None
