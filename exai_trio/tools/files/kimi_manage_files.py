"""kimi_manage_files: lists and deletes files at Kimi.

Clean-ups touch only what EXAI uploaded; one of everything shows it first.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError, ServiceUnavailableError
from exai_trio.storage.contracts.provider_uploads import ProviderUpload
from exai_trio.tools import envelope
from exai_trio.tools.arguments import concerning
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.files import upload_facts, uploads

_EXPIRED_S = 30 * 24 * 3600  # unused for so long

Operation = Literal["list", "delete", "cleanup_all", "cleanup_orphaned", "cleanup_expired"]


@structs.frozen(kw_only=True)
class Arguments:
    """What kimi_manage_files takes."""

    operation: Operation
    file_id: str = ""
    # the tool's published default
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    dry_run: Annotated[bool | None, Meta(description="Show first what would be deleted")] = None


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    match arguments.operation:
        case "list":
            return await _list(arguments, caller, services)
        case "delete":
            return await _delete(arguments, caller, services)
        case "cleanup_all":
            return await _cleanup_all(arguments, caller, services)
        case "cleanup_orphaned":
            return await _cleanup_orphaned(arguments, caller, services)
        case "cleanup_expired":
            return await _cleanup_expired(arguments, caller, services)


async def _list(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    held = await uploads.list_files(services, caller, "kimi")
    known = {upload.provider_file_id: upload for upload in await _known(services, caller)}
    files = [
        {
            "id": file.id,
            "filename": file.filename,
            "bytes": file.size,
            "created_at": file.created_at,
            "purpose": file.purpose,
            **upload_facts.of(
                known.get(file.id), reused=file.id in known, hosted=services.uploads.hosted
            ),
        }
        for file in held[: arguments.limit]
    ]
    return _answer({"files": files, "total": len(held)}, services)


async def _delete(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    with concerning("file_id"):
        if not arguments.file_id.strip():
            raise ArgumentError("delete needs the file_id; list shows them.")
        file_id = uploads.check_id(arguments.file_id.strip())
        if arguments.dry_run:
            return _answer({"would_delete": [file_id]}, services)
        await uploads.delete_file(services, caller, "kimi", file_id)
    return _answer({"deleted": [file_id]}, services)


async def _cleanup_all(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    """Only what a dry run has shown to this session, so that nobody deletes what nobody has seen."""
    held = await _held(services, caller)
    ours = [file for file in await _known(services, caller) if file.provider_file_id in held]
    if arguments.dry_run is not False:
        services.uploads.note_shown(
            _asker(caller), frozenset(file.provider_file_id for file in ours)
        )
        how = "Nothing was deleted. The same call with dry_run false deletes these."
        return _answer({"would_delete": list(map(_shown, ours)), "next": how}, services)
    shown = services.uploads.take_shown(_asker(caller))
    if shown is None:
        raise ArgumentError(
            "cleanup_all asks for a dry run first: call it with dry_run true, look, and call again.",
            details={"field": "dry_run", "value": False},
        )
    return await _deleted(
        [file for file in ours if file.provider_file_id in shown], caller, services
    )


async def _cleanup_orphaned(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    """What the registry knows and Kimi no longer has is forgotten; nothing is deleted at Kimi."""
    held = await _held(services, caller)
    gone = [file for file in await _known(services, caller) if file.provider_file_id not in held]
    if arguments.dry_run:
        return _answer({"would_forget": list(map(_shown, gone))}, services)
    for file in gone:
        registry = services.uploads.registry.of(caller.principal)
        await registry.note_gone(file.id, file.provider_file_id)
    return _answer({"forgotten": list(map(_shown, gone))}, services)


async def _cleanup_expired(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    """What EXAI uploaded and nobody used for 30 days, by a clock that is trusted."""
    if not services.is_clock_trusted():
        raise ServiceUnavailableError(
            "The clock has been set far ahead, or EXAI was off for long: what is old is known once it has been right"
            " for an hour. cleanup_expired deletes nothing until then.",
            retry_after_s=600.0,  # audit: duration, because it is a hint to the client, who decides
        )
    before = services.now() - _EXPIRED_S
    expired = [file for file in await _known(services, caller) if file.last_used < before]
    if arguments.dry_run:
        return _answer({"would_delete": list(map(_shown, expired))}, services)
    return await _deleted(expired, caller, services)


async def _deleted(files: list[ProviderUpload], caller: Caller, services: Services) -> Answer:
    deleted: list[dict[str, Any]] = []
    for file in files:
        try:
            await uploads.delete_file(services, caller, "kimi", file.provider_file_id)
        except NotFoundError:  # audit: silent-loop, because a file that is gone is deleted
            continue
        deleted.append(_shown(file))
    return _answer({"deleted": deleted}, services)


async def _known(services: Services, caller: Caller) -> tuple[ProviderUpload, ...]:
    registry = services.uploads.registry.of(caller.principal)
    return await registry.uploads("kimi", services.gateway.account("kimi"))


async def _held(services: Services, caller: Caller) -> frozenset[str]:
    return frozenset(file.id for file in await uploads.list_files(services, caller, "kimi"))


def _asker(caller: Caller) -> tuple[str, str]:
    return caller.principal, caller.session_id


def _shown(file: ProviderUpload) -> dict[str, Any]:
    return {"id": file.provider_file_id, "filename": file.filename, "bytes": file.file_size_bytes}


def _answer(facts: dict[str, Any], services: Services) -> Answer:
    served = model_choice.served_by(services, "kimi")
    return envelope.as_json("kimi_manage_files", facts, metadata=served)


TOOL = Tool(
    name="kimi_manage_files",
    description="List or delete files at Kimi; clean-ups touch only EXAI's own uploads.",
    arguments=Arguments,
    run=run,
    read_only=False,
    repeatable=False,
)
