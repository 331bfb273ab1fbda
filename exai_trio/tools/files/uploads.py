"""Giving files to a provider, each content once, and asking for them back.

What was given stands in the registry. A file is its principal's alone. What a provider holds and the registry does
not know is the home owner's, whose key it is.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from exai_trio.errors import ArgumentError, NotFoundError, ProviderRefusedError
from exai_trio.filestore.file_gateway import Given
from exai_trio.principals import OWNER
from exai_trio.storage.contracts.provider_uploads import Later, ProviderUpload, UploadRegistry
from exai_trio.system.disk import fault_of
from exai_trio.tools.base import Caller, Services
from exai_trio.tools.files.shelves import is_missing
from exai_trio.tools.files.uploading import NOTE_S, Uploading, owner_of

if TYPE_CHECKING:
    from exai_trio.providers.base import Provider, ProviderFile
    from exai_trio.storage.contracts.cleanup_records import DeletionJob

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")


def check_id(file_id: str) -> str:
    """Raises: ArgumentError. An id becomes part of a path at the provider, so it is nothing but letters and digits."""
    if not _ID.fullmatch(file_id):
        raise ArgumentError(
            f"{file_id[:80]!r} is no file id; ids look like file_abc123.",
            details={"value": file_id[:80]},
        )
    return file_id


@asynccontextmanager
async def referring(services: Services, caller: Caller) -> AsyncGenerator[None]:
    """What the call gives and reads in this block is kept while it lasts, and after it only for others who refer to it.
    Cancelling ends its references too."""
    try:
        yield
    finally:
        with trio.move_on_after(NOTE_S, shield=True):
            await _registry(services, caller).end_owner(owner_of(caller))


async def give(
    services: Services, caller: Caller, provider: str, files: Sequence[str], purpose: str
) -> list[Given]:
    """Upload what the provider does not have yet, in order; all paths are checked before a byte is sent. The call refers to each.

    Raises: ArgumentError, NotFoundError, ProviderError, StorageError, OverCapacityError. Cancelling leaves what was uploaded noted.
    """
    account = services.gateway.account(provider)
    if len(files) > 1:  # of one, the same is found out when it is opened and sent
        await services.files.check(files, "file", caller.roots)
    uploading = Uploading(services, caller, provider, account, purpose)
    return [await uploading.one(path) for path in files]


async def give_to_keep(
    services: Services, caller: Caller, provider: str, files: Sequence[str], purpose: str
) -> list[Given]:
    """`give`; the principal holds each from then on, until it is unused for 30 days. Cancelling leaves what was uploaded noted."""
    async with referring(services, caller):
        given = await give(services, caller, provider, files, purpose)
        for each in given:
            await refer(services, caller, each.upload, f"held:{caller.principal}")
        return given


async def refer(services: Services, caller: Caller, upload: ProviderUpload, owner: str) -> None:
    """Raises StorageError. Cancelling leaves it done or not done."""
    await _registry(services, caller).increment_file_reference(upload.id, owner)


async def check_conversation(services: Services, caller: Caller, continuation_id: str) -> None:
    """Raises NotFoundError if one is named that is not there. Cancelling changes nothing."""
    conversations = services.conversations.of(caller.principal)
    if continuation_id and await conversations.load(continuation_id, services.now()) is None:
        raise NotFoundError(
            "No conversation has this continuation_id. Leave it out, or give the one of an answer.",
            details={"field": "continuation_id"},
        )


async def refer_known(
    services: Services, caller: Caller, provider: str, file_ids: Sequence[str], continuation_id: str
) -> list[ProviderUpload]:
    """The call, and its conversation if it has one, refer to those that EXAI uploaded for this principal.
    Cancelling leaves some without."""
    known = await _registry(services, caller).uploads(provider, services.gateway.account(provider))
    named = [upload for upload in known if upload.provider_file_id in file_ids]
    for upload in named:
        await refer(services, caller, upload, owner_of(caller))
        if continuation_id:
            await refer(services, caller, upload, f"conversation:{continuation_id}")
    return named


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


def _registry(services: Services, caller: Caller) -> UploadRegistry:
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
        if is_missing(fault):
            raise _no_file(provider, file_id) from fault
        raise


async def delete_file(services: Services, caller: Caller, provider: str, file_id: str) -> None:
    """At the provider, unless another principal refers to the same file, and in the registry. What the provider does not delete now is
    deleted by the cleaning up.

    Raises: ArgumentError, NotFoundError, ProviderError.
    """
    others = await _check_seen(services, caller, provider, file_id)
    account = services.gateway.account(provider)
    job = await _registry(services, caller).abandon_file(provider, account, file_id)
    if isinstance(job, Later) or (job is None and others):
        return
    missing = await _delete(services, caller, provider, file_id)
    if job is not None:
        await _finish(services, job)
    if missing is not None:
        raise missing


async def _finish(services: Services, job: "DeletionJob") -> None:
    with trio.move_on_after(NOTE_S, shield=True):
        await fault_of(partial(services.uploads.kept.settle, job))


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
        if not is_missing(fault):
            raise
        return _no_file(provider, file_id) if requests == 1 else None
    return None


def _no_file(provider: str, file_id: str) -> NotFoundError:
    return NotFoundError(
        f"{provider} holds no file {file_id}: it was deleted, or belongs to another key.",
        details={"value": file_id},
    )
