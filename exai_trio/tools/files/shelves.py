"""A provider's files, reached through the gateway: listed, deleted, given."""

from collections.abc import Awaitable, Callable
from functools import partial
from io import BufferedReader
from typing import TYPE_CHECKING, Final

import trio

from exai_trio import structs
from exai_trio.errors import ProviderError, ProviderRefusedError
from exai_trio.filestore.adoption import Shelved
from exai_trio.storage.contracts.provider_uploads import Claim
from exai_trio.system.disk import fault_of

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.attempts import Listener
    from exai_trio.providers.base import Provider, ProviderFile
    from exai_trio.providers.gateway import Gateway
    from exai_trio.workspace.upload_source import Opened

NOT_FOUND: Final = 404
_PIECE: Final = 1024 * 1024
_RENEWED_S: Final = 10.0  # a third of a claim


def is_missing(fault: ProviderRefusedError) -> bool:
    """Whether the provider says that it has no such file."""
    return fault.details.get("status") == NOT_FOUND


@structs.frozen
class GatewayShelf:
    """All files of one provider under our key. Raises ProviderError; cancelling ends the request."""

    gateway: "Gateway"
    provider: str
    listener: "Listener"

    async def listed(self) -> "tuple[ProviderFile, ...]":
        return await self.gateway.ask(
            self.provider, lambda asked: asked.list_files(), self.listener
        )

    async def delete(self, file_id: str) -> None:
        """One that is not there is deleted already."""
        try:
            await self.gateway.ask(
                self.provider, lambda asked: asked.delete_file(file_id), self.listener
            )
        except ProviderRefusedError as fault:
            if not is_missing(fault):
                raise


@structs.define
class CallShelf:
    """A provider's files as one call sees them: listed once, unless it has to know anew."""

    shelf: GatewayShelf
    _held: "tuple[ProviderFile, ...] | None" = None

    async def listed(self, *, fresh: bool = False) -> "tuple[ProviderFile, ...]":
        if self._held is None or fresh:
            self._held = await self.shelf.listed()
        return self._held


Renew = Callable[[Claim], Awaitable[bool]]


@structs.frozen(kw_only=True)
class UploadRecipient:
    """The provider that gets one opened file; `stored` opens the object of its content, if that is to be sent."""

    shelf: CallShelf
    purpose: str
    opened: "Opened"
    renew: Renew
    starting: Callable[[], None]
    stored: Callable[[str], Awaitable[BufferedReader]] | None = None

    async def listed(self, *, fresh: bool = False) -> tuple[Shelved, ...]:
        return await self.shelf.listed(fresh=fresh)

    async def send(self, claim: Claim) -> Shelved:
        """Once: whether a request that failed has left a file is found out by the next claim. Cancelling closes its socket."""
        at = self.shelf.shelf
        self.starting()
        if self.stored is None:
            await trio.to_thread.run_sync(_checked, self.opened)
            return await self._renewing(claim, lambda: self._ask(at, self.opened.file))
        with await self.stored(self.opened.sha256) as file:
            return await self._renewing(claim, lambda: self._ask(at, file))

    async def _ask(self, at: GatewayShelf, file: BufferedReader) -> Shelved:
        path, purpose = self.opened.path, self.purpose

        async def upload(asked: "Provider") -> "ProviderFile":
            return await asked.upload_file(path, purpose, file)

        return await at.gateway.ask(at.provider, upload, at.listener, repeatable=False)

    async def _renewing(self, claim: Claim, send: Callable[[], Awaitable[Shelved]]) -> Shelved:
        """The claim is ours while the provider is asked."""
        sent: Shelved | ProviderError
        async with trio.open_nursery() as renewing:
            renewing.start_soon(self._renew, claim)
            try:
                sent = await send()
            except ProviderError as fault:  # the nursery would wrap it
                sent = fault
            renewing.cancel_scope.cancel(reason="it is sent")
        if isinstance(sent, ProviderError):
            raise sent
        return sent

    async def _renew(self, claim: Claim) -> None:
        """Whoever cannot, or has lost it, learns so when it finishes."""
        while True:
            await trio.sleep(_RENEWED_S)
            await fault_of(partial(self.renew, claim))


def _checked(opened: "Opened") -> None:
    """A copy, so that what is looked at is what is sent. Raises ArgumentError."""
    for piece in iter(lambda: opened.file.read(_PIECE), b""):
        opened.check(piece)()
    opened.file.seek(0)
