"""Giving one content to a provider: claimed, stored, sent from the store, noted, in this order, so that a kill leaves garbage and never an
id of nothing.

No trio here: whoever is handed in waits and shields, so that tests can stop it between any two steps.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from exai_trio import structs
from exai_trio.errors import ExaiError, ServiceUnavailableError
from exai_trio.filestore.adoption import Shelved, candidates
from exai_trio.storage.contracts.provider_uploads import (
    Busy,
    Claim,
    Known,
    Offer,
    ProviderUpload,
)

LONGEST_WAIT_S: Final = 1.0
_TRIES: Final = 5  # each ends with a file that is of no use, which others have to bring about


class Recipient(Protocol):
    """A provider's shelf. Raises ProviderError; cancelling leaves open whether it has what was sent."""

    async def send(self, claim: Claim) -> Shelved:
        """Give it the content, once; the claim is renewed meanwhile."""
        ...

    async def listed(self, *, fresh: bool = False) -> tuple[Shelved, ...]:
        """All that it has under our key; if not `fresh`, as it was at some time since the tool call began."""
        ...


class Claims(Protocol):
    """What giving asks of the registry, as that has it. Cancelling does not cut `finish_upload` and `fail_upload`."""

    async def claim_upload(self, offer: Offer, owner: str, by: str) -> Known | Claim | Busy: ...

    async def note_object(self, claim: Claim, file_id: str) -> bool: ...

    async def finish_upload(
        self, claim: Claim, provider_file_id: str, filename: str
    ) -> ProviderUpload | None: ...

    async def fail_upload(self, claim: Claim, error: str, owner: str) -> None: ...

    async def note_gone(self, upload_id: str, provider_file_id: str) -> None: ...

    async def holders(self, provider: str, account: str) -> Mapping[str, frozenset[str]]: ...


@structs.frozen(kw_only=True)
class Given:
    """A content that the provider has now; `reused` if this principal had given it before, `was_there` if anybody had. `unclear`: how
    many files were found that could be an earlier upload of it, and were left alone."""

    upload: ProviderUpload
    reused: bool
    was_there: bool = False
    unclear: int = 0


Store = Callable[[], Awaitable[str]]
"""Keep the content, if it is not kept yet. The object's id. Raises ExaiError."""
Wait = Callable[[float], Awaitable[None]]


@structs.frozen(kw_only=True)
class FileGateway:
    """One content on its way to one provider. Without a `store` the content is read from where it is."""

    registry: Claims
    recipient: Recipient
    offer: Offer
    owner: str
    by: str
    wait: Wait
    store: Store | None = None

    async def give(self) -> Given:
        """Raises: ProviderError, StorageError. Cancelling leaves what arrived at the provider noted, or to be found by the next claim."""
        tries = 0
        while tries < _TRIES:
            match await self.registry.claim_upload(self.offer, self.owner, self.by):
                case Busy(wait_s=seconds):
                    await self.wait(min(seconds, LONGEST_WAIT_S))
                case Known(upload=upload, held_before=held):
                    if await self._is_there(upload):
                        return Given(upload=upload, reused=held, was_there=True)
                    await self.registry.note_gone(upload.id, upload.provider_file_id)
                case Claim() as claim:
                    tries += 1
                    given = await self._claimed(claim)
                    if given is not None:
                        return given
        raise ServiceUnavailableError(
            f"{self.offer.filename} is being uploaded and deleted at the same time; try again later."
        )

    async def _is_there(self, upload: ProviderUpload) -> bool:
        """It may have come after the list was asked for."""
        for fresh in (False, True):
            listed = await self.recipient.listed(fresh=fresh)
            if any(file.id == upload.provider_file_id for file in listed):
                return True
        return False

    async def _claimed(self, claim: Claim) -> Given | None:
        """None if the claim or the file was lost, and the content is to be claimed again."""
        error = "interrupted"
        try:
            sent, unclear = await self._carry_out(claim)
            error = ""
        except ExaiError as fault:
            error = fault.message
            raise
        finally:
            if error:
                await self.registry.fail_upload(claim, error, self.owner)  # noqa: ASYNC102 - the registry shields it
        if sent is None:
            return None
        upload = await self.registry.finish_upload(claim, sent.id, sent.filename)
        return Given(upload=upload, reused=False, unclear=unclear) if upload else None

    async def _carry_out(self, claim: Claim) -> tuple[Shelved | None, int]:
        if self.store is not None:
            file_id = await self.store()
            if not await self.registry.note_object(claim, file_id):
                return None, 0
        found = await self._left_behind(claim)
        if len(found) == 1:
            return found[0], 0
        return await self.recipient.send(claim), len(found)

    async def _left_behind(self, claim: Claim) -> tuple[Shelved, ...]:
        """What an upload that was begun may have left at the provider, though its answer was lost."""
        upload = claim.upload
        if upload.began_at is None:
            return ()
        known = await self.registry.holders(upload.provider, upload.account)
        listed = await self.recipient.listed(fresh=True)
        return candidates(claim, listed, known)
