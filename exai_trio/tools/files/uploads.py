"""Giving files to a provider, each content once, and asking for them back.

What was given stands in the registry. A file is its principal's alone. What a provider holds and the registry does
not know is the home owner's, whose key it is.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError, ProviderRefusedError
from exai_trio.principals import OWNER
from exai_trio.storage.base import FileRegistry, Upload, UploadIntent
from exai_trio.tools.base import Caller, Services

if TYPE_CHECKING:
    from exai_trio.providers.base import Provider, ProviderFile
    from exai_trio.workspace.upload_source import Opened

MOST_BYTES: Final = 100 * 1024 * 1024  # both services' own limit
_NOTE_S = 2.0
_CLOCKS_DIFFER_S = 600.0  # the provider's from ours, at most
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")
_NOT_FOUND = 404


@structs.frozen(kw_only=True)
class Given:
    """A file that the provider has now; `reused` if it had it before."""

    upload: Upload
    reused: bool


def check_id(file_id: str) -> str:
    """Raises: ArgumentError. An id becomes part of a path at the provider, so it is nothing but letters and digits."""
    if not _ID.fullmatch(file_id):
        raise ArgumentError(
            f"{file_id[:80]!r} is no file id; ids look like file_abc123.",
            details={"value": file_id[:80]},
        )
    return file_id


async def give(
    services: Services, caller: Caller, provider: str, files: Sequence[str], purpose: str
) -> list[Given]:
    """Upload what the provider does not have yet, in order; all paths are checked before a byte is sent.

    Raises: ArgumentError, NotFoundError, ProviderError, StorageError. Cancelling leaves what was uploaded noted.
    """
    account = services.gateway.account(provider)
    await services.files.check(files, "file", caller.roots)
    giving = _Giving(services, caller, provider, account, purpose)
    return [await giving.one(path) for path in files]


@structs.define
class _Giving:
    """The uploads of one call. What the provider holds is asked at most once, when something could be used again."""

    services: Services
    caller: Caller
    provider: str
    account: str
    purpose: str
    _held: "tuple[ProviderFile, ...] | None" = None

    async def one(self, path: str) -> Given:
        services, key = self.services, (self.provider, self.account)
        async with (
            services.files.opened(path, self.caller.roots, MOST_BYTES) as opened,
            services.uploads.alone(*key, opened.sha256, self.purpose, self.caller.principal),
        ):
            registry = services.uploads.registry.of(self.caller.principal)
            known = await registry.find_upload(*key, opened.sha256, self.purpose)
            if known is None:
                known = await self._arrived(opened)
            if known is None or not await self._is_held(known):
                return Given(upload=await self._upload(opened), reused=False)
            known = attrs.evolve(known, used_at=services.now())
            await registry.note_upload(known)
            return Given(upload=known, reused=True)

    async def _arrived(self, opened: "Opened") -> Upload | None:
        """What an upload that was begun has left at the provider, though its answer was lost: a file of that name, size and time
        that nobody knows, if there is exactly one."""
        registry = self.services.uploads.registry.of(self.caller.principal)
        begun = await registry.begun_upload(
            self.provider, self.account, opened.sha256, self.purpose
        )
        if begun is None:
            return None
        known = await registry.holders(self.provider, self.account)
        found = [file for file in await self._files() if _is_of(file, begun, known)]
        return self._as_upload(found[0], opened) if len(found) == 1 else None

    async def _files(self) -> "tuple[ProviderFile, ...]":
        if self._held is None:
            self._held = await held_files(self.services, self.caller, self.provider)
        return self._held

    async def _is_held(self, known: Upload) -> bool:
        if any(file.id == known.file_id for file in await self._files()):
            return True
        registry = self.services.uploads.registry.of(self.caller.principal)
        await registry.forget_upload(self.provider, self.account, known.file_id)
        return False

    async def _upload(self, opened: "Opened") -> Upload:
        name = opened.path.name
        self.caller.stage("uploading", f"{name}, {opened.size:,} bytes, to {self.provider}")
        registry = self.services.uploads.registry.of(self.caller.principal)
        await registry.begin_upload(self._intent(opened))
        held = await self.services.gateway.ask(
            self.provider,
            lambda provider: provider.upload_file(opened.path, self.purpose, opened.file),
            self.caller,
            repeatable=False,
        )
        upload = self._as_upload(held, opened)
        # The file is there: a call that is cancelled now must not make us forget it.
        with trio.move_on_after(_NOTE_S, shield=True):
            await registry.note_upload(upload)
        return upload

    def _intent(self, opened: "Opened") -> UploadIntent:
        return UploadIntent(
            provider=self.provider,
            account=self.account,
            sha256=opened.sha256,
            purpose=self.purpose,
            filename=opened.path.name,
            size=opened.size,
            at=self.services.now(),
        )

    def _as_upload(self, held: "ProviderFile", opened: "Opened") -> Upload:
        return Upload(
            provider=self.provider,
            account=self.account,
            file_id=held.id,
            sha256=opened.sha256,
            purpose=self.purpose,
            filename=held.filename or opened.path.name,
            size=opened.size,
            uploaded_at=float(held.created_at or self.services.now()),
            used_at=self.services.now(),
        )


def _is_called(name: str, ours: Path) -> bool:
    """Kimi calls a second a.txt a(1).txt."""
    return name == ours.name or (name.startswith(f"{ours.stem}(") and name.endswith(ours.suffix))


def _is_of(file: "ProviderFile", begun: UploadIntent, known: Mapping[str, object]) -> bool:
    alike = file.size == begun.size and _is_called(file.filename, Path(begun.filename))
    return alike and file.created_at >= begun.at - _CLOCKS_DIFFER_S and file.id not in known


async def held_files(
    services: Services, caller: Caller, provider: str
) -> "tuple[ProviderFile, ...]":
    """All that the provider has under our key, of whoever. Cancelling ends the request."""
    return await services.gateway.ask(provider, lambda asked: asked.list_files(), caller)


async def list_files(
    services: Services, caller: Caller, provider: str
) -> "tuple[ProviderFile, ...]":
    """What the provider has of the caller's."""
    held = await held_files(services, caller, provider)
    holders = await _registry(services, caller).holders(
        provider, services.gateway.account(provider)
    )
    return tuple(file for file in held if _is_seen(caller, holders, file.id))


def _registry(services: Services, caller: Caller) -> FileRegistry:
    return services.uploads.registry.of(caller.principal)


def _is_seen(caller: Caller, holders: Mapping[str, frozenset[str]], file_id: str) -> bool:
    return caller.principal in holders.get(file_id, {OWNER})


async def _check_seen(
    services: Services, caller: Caller, provider: str, file_id: str
) -> frozenset[str]:
    """Who else holds the file. Raises: ArgumentError; NotFoundError if it is another principal's."""
    check_id(file_id)
    account = services.gateway.account(provider)
    holders = await _registry(services, caller).holders(provider, account)
    if not _is_seen(caller, holders, file_id):
        raise _no_file(provider, file_id)
    return holders.get(file_id, frozenset()) - {caller.principal}


async def read_file(services: Services, caller: Caller, provider: str, file_id: str) -> bytes:
    """Raises: ArgumentError, NotFoundError, ProviderError."""
    await _check_seen(services, caller, provider, file_id)
    try:
        return await services.gateway.ask(provider, lambda asked: asked.read_file(file_id), caller)
    except ProviderRefusedError as fault:
        raise _missing(fault, provider, file_id) from fault


async def delete_file(services: Services, caller: Caller, provider: str, file_id: str) -> None:
    """At the provider, unless another principal holds the same file, and in the registry.

    Raises: ArgumentError, NotFoundError, ProviderError.
    """
    others = await _check_seen(services, caller, provider, file_id)
    missing = None if others else await _delete(services, caller, provider, file_id)
    await _forget(services, caller, provider, file_id)
    if missing is not None:
        raise missing


async def _delete(
    services: Services, caller: Caller, provider: str, file_id: str
) -> NotFoundError | None:
    """Why there was nothing to delete. On a repeat that is no fault: the answer to an earlier request was lost, and the file is gone."""
    requests = caller.attempt - 1

    async def delete(asked: "Provider") -> None:
        nonlocal requests
        requests += 1
        await asked.delete_file(file_id)

    try:
        await services.gateway.ask(provider, delete, caller)
    except ProviderRefusedError as fault:
        missing = _missing(fault, provider, file_id)
        if not isinstance(missing, NotFoundError):
            raise
        return missing if requests == 1 else None
    return None


async def _forget(services: Services, caller: Caller, provider: str, file_id: str) -> None:
    account = services.gateway.account(provider)
    with trio.move_on_after(_NOTE_S, shield=True):
        await _registry(services, caller).forget_upload(provider, account, file_id)


def _missing(
    fault: ProviderRefusedError, provider: str, file_id: str
) -> NotFoundError | ProviderRefusedError:
    if fault.details.get("status") == _NOT_FOUND:
        return _no_file(provider, file_id)
    return fault


def _no_file(provider: str, file_id: str) -> NotFoundError:
    return NotFoundError(
        f"{provider} holds no file {file_id}: it was deleted, or belongs to another key.",
        details={"value": file_id},
    )
