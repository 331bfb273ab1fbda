"""kimi_upload_files: gives files to Kimi, each content once, and answers their ids."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from exai_trio import structs
from exai_trio.filestore.file_gateway import Given
from exai_trio.observability.times import rfc3339
from exai_trio.tools import envelope
from exai_trio.tools.arguments import concerning
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.files import upload_facts, uploads

_EXTRACT = "file-extract"


@structs.frozen(kw_only=True)
class Arguments:
    """What kimi_upload_files takes."""

    files: Annotated[tuple[str, ...], Meta(min_length=1, description="Absolute paths")]
    purpose: Literal["file-extract", "assistants"] = "file-extract"


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    with concerning("files"):
        given = await uploads.give_to_keep(services, caller, "kimi", arguments.files, _EXTRACT)
    notice = (
        {}
        if arguments.purpose == _EXTRACT
        else {"notice": f"Kimi knows no purpose {arguments.purpose}; {_EXTRACT} was used"}
    )
    reused = sum(each.reused for each in given)
    return envelope.as_json(
        "kimi_upload_files",
        [_as_json(each, hosted=services.uploads.hosted) for each in given],
        metadata=model_choice.served_by(services, "kimi") | {"reused": reused, **notice},
    )


def _as_json(given: Given, *, hosted: Mapping[str, str] | None) -> dict[str, Any]:
    return {
        "filename": given.upload.filename,
        "file_id": given.upload.provider_file_id,
        "size_bytes": given.upload.file_size_bytes,
        "upload_timestamp": rfc3339(given.upload.uploaded_at),
        **upload_facts.of(given.upload, reused=given.reused, hosted=hosted),
        **upload_facts.notice(given),
    }


TOOL = Tool(
    name="kimi_upload_files",
    description="Upload files to Kimi; known content is not sent again.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    read_only=False,
    paths={"files": "file"},
)
