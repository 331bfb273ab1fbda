"""A registry of uploads: each content stands once at a provider, with a row for each who refers to it.

No SQL here. Times are unix seconds by the database's clock, so that machines whose clocks differ agree. The states of an upload:

    pending    somebody has the claim to give the content to the provider, until its lease is over
    completed  the provider has it, under `provider_file_id`
    failed     the provider refused it, or did not answer; the next claim tries again
    deleted    it has no id: it was condemned, or is gone at the provider; the next claim begins afresh

Whoever claims names an owner, whose reference keeps the content: `conversation:ID`, `call:ID`, `held:PRINCIPAL`. References are
rows, so that one that is added or dropped again counts once; `reference_count` is derived from them.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import DeletionJob

UploadStatus = Literal["pending", "completed", "failed", "deleted"]
UploadMethod = Literal["embed", "direct", "gateway", "storage"]


@structs.frozen(kw_only=True)
class Content:
    """What is given to a provider; an id is worth nothing under another key or purpose."""

    provider: str
    account: str
    purpose: str
    sha256: str


@structs.frozen(kw_only=True)
class Offer:
    """A content on its way; `size` in bytes."""

    content: Content
    filename: str
    size: int
    method: UploadMethod


@structs.frozen(kw_only=True)
class ProviderUpload:
    """A row of the registry. `file_id` names the stored object, "" if there is none. `filename` is as the provider has it.

    `began_at`: since then the provider may have a file of it that nobody noted; None if not.
    """

    id: str
    provider: str
    account: str
    purpose: str
    sha256: str
    provider_file_id: str
    file_id: str
    filename: str
    file_size_bytes: int
    upload_method: UploadMethod
    upload_status: UploadStatus
    error_message: str
    reference_count: int
    last_used: float
    uploaded_at: float
    began_at: float | None

    @property
    def content(self) -> Content:
        return Content(
            provider=self.provider,
            account=self.account,
            purpose=self.purpose,
            sha256=self.sha256,
        )


@structs.frozen(kw_only=True)
class Known:
    """The provider had it when it was last looked; `held_before` by this principal."""

    upload: ProviderUpload
    held_before: bool


@structs.frozen(kw_only=True)
class Claim:
    """The asker alone gives the content to the provider now. The `fence` goes up with each claim of a row.

    `rivals`: how many other uploads of this size have begun at the provider and are not noted; what one of them has left there
    cannot be told from what this one has. `is_hosted`: it was made by the hosted registry.
    """

    upload: ProviderUpload
    fence: int
    rivals: int = 0
    is_hosted: bool = False


@structs.frozen(kw_only=True)
class Busy:
    """Somebody else gives it to the provider, for so many seconds at most before they renew their claim."""

    wait_s: float


@structs.frozen
class Later:
    """Who else refers to the file cannot be known now; once it can, the file is deleted if nobody does."""


class UploadRegistry(Protocol):
    """The uploads of one principal, in a registry of all. Each method is one transaction. Raises StorageError; cancelling leaves it
    done or not done."""

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy:
        """Add the owner's reference, and give the id or the claim. `by` is the claimant's name:
        who claims again under it has been killed meanwhile, and does not wait."""
        ...

    async def renew_claim(self, claim: Claim) -> bool:
        """False if somebody else has it now."""
        ...

    async def note_object(self, claim: Claim, file_id: str) -> bool:
        """The content is stored under that id. False if somebody else has the claim now."""
        ...

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None:
        """The provider has it. None if that is of no use, and the content is to be claimed again: somebody else has the claim, and the file
        is queued for deletion; or it is being deleted already."""
        ...

    async def fail_upload(self, claim: Claim, error: str, owner: str) -> None:
        """The provider does not have it, as far as we know: the claim ends, and the owner's reference. The stored object stays for
        the grace."""
        ...

    async def note_gone(self, upload_id: str, provider_file_id: str) -> None:
        """The provider has no file of that id: the row is emptied, unless it has another id by now."""
        ...

    async def increment_file_reference(self, upload_id: str, owner: str) -> bool:
        """Add the owner's reference, once. False if there is no such upload, or the provider has it no more."""
        ...

    async def decrement_file_reference(self, upload_id: str, owner: str) -> None:
        """End the owner's reference, if there is one."""
        ...

    async def end_owner(self, owner: str) -> int:
        """End all references of an owner. Returns how many there were."""
        ...

    async def abandon_file(
        self, provider: str, account: str, provider_file_id: str
    ) -> DeletionJob | Later | None:
        """The principal wants it no more: all its references end. Unless another principal has some, the id is moved to the deletions,
        and the job is the asker's."""
        ...

    async def uploads(self, provider: str, account: str) -> tuple[ProviderUpload, ...]:
        """What the principal holds or has held and the provider has, oldest first."""
        ...

    async def holders(self, provider: str, account: str) -> Mapping[str, frozenset[str]]:
        """By the id of each file of EXAI's at the provider: the principals that hold it or have held it."""
        ...
