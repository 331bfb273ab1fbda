"""smart_file_download: what a provider holds under a file id, as a new file on this machine.

Nothing is overwritten.
"""

import hashlib
import logging
from pathlib import Path
from typing import Annotated

import trio
from msgspec import Meta

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.contracts.provider_uploads import ProviderUpload
from exai_trio.system.private_files import replace_private
from exai_trio.tools import envelope
from exai_trio.tools.arguments import concerning
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.files import upload_facts, uploads
from exai_trio.tools.files.uploading import STORAGE
from exai_trio.workspace.write import safe_name

log = logging.getLogger("exai.tools")


@structs.frozen(kw_only=True)
class Arguments:
    """What smart_file_download takes."""

    file_id: Annotated[str, Meta(min_length=1)]
    destination: Annotated[str, Meta(description="New file or a directory; absolute")] = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    place, again = None, caller.attempt > 1
    if arguments.destination:
        with concerning("destination"):
            place = await services.files.find_place(
                arguments.destination, caller.roots, again=again
            )
    with concerning("file_id"):
        file_id = uploads.check_id(arguments.file_id.strip())
        provider, known = await _holder(services, caller, file_id)
        original = known is not None and await _original(services, known)
        content = original or await uploads.read_file(services, caller, provider, file_id)
        name = known.filename if known else ""
    if place is None:
        path = await _keep(services, f"{file_id}-{safe_name(name)}", content)
    else:
        with concerning("destination"):
            path = await services.files.write_new(place, name or file_id, content, again=again)
    facts = {
        "path": str(path),
        "file_id": file_id,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **upload_facts.of(known, reused=known is not None, hosted=services.uploads.hosted),
    }
    notice = "the file as it was uploaded" if original else "the text that the provider extracted"
    return envelope.as_json(
        "smart_file_download",
        facts,
        metadata=model_choice.served_by(services, provider) | {"notice": notice},
    )


async def _holder(
    services: Services, caller: Caller, file_id: str
) -> tuple[str, ProviderUpload | None]:
    """The provider that has the file, and its upload. Ids that EXAI does not know: GLM's are numbers, Kimi's are words."""
    for provider in ("kimi", "glm"):
        if provider in services.gateway.permits():
            account = services.gateway.account(provider)
            registry = services.uploads.registry.of(caller.principal)
            for known in await registry.uploads(provider, account):
                if known.provider_file_id == file_id:
                    return provider, known
    for known in await services.uploads.registry.of(caller.principal).uploads(STORAGE, ""):
        if known.provider_file_id == file_id:
            return "kimi", known
    return ("glm" if file_id.isdigit() else "kimi"), None


async def _original(services: Services, known: ProviderUpload) -> bytes:
    """The stored object; nothing if there is none, or if it is damaged."""
    objects = services.uploads.objects
    is_stored = known.file_id or known.upload_method in {"gateway", "storage"}
    if not is_stored or await objects.stat(known.sha256) is None:
        return b""
    if not await objects.is_whole(known.sha256):
        log.error("a stored content is damaged, and not given", extra={"object": known.sha256})
        return b""
    async with objects.open(known.sha256) as pieces:
        return b"".join([piece async for piece in pieces])


async def _keep(services: Services, name: str, content: bytes) -> Path:
    path = services.config.home / "files" / name
    try:
        await trio.to_thread.run_sync(
            replace_private, path, content, limiter=services.files.limiter
        )
    except OSError as fault:
        raise StorageError(f"{path} cannot be written: {fault.strerror}.") from fault
    return path


TOOL = Tool(
    name="smart_file_download",
    description="Fetch a provider's file to this machine.",
    arguments=Arguments,
    paths={"destination": "write"},
    run=run,
    repeatable=True,
    visibility="core",
    read_only=False,
)
