"""glm_upload_file: gives one file to GLM, unless GLM has its content already, and answers its id."""

from typing import Annotated

from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.arguments import concerning
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.files import upload_facts, uploads


@structs.frozen(kw_only=True)
class Arguments:
    """What glm_upload_file takes."""

    file: Annotated[str, Meta(min_length=1, description="Absolute path")]
    purpose: Annotated[str, Meta(max_length=40)] = "agent"


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    with concerning("file"):
        (given,) = await uploads.give_to_keep(
            services, caller, "glm", [arguments.file], arguments.purpose or "agent"
        )
    facts = {
        "file_id": given.upload.provider_file_id,
        "filename": given.upload.filename,
        **upload_facts.of(given.upload, reused=given.reused, hosted=services.uploads.hosted),
        **upload_facts.notice(given),
    }
    return envelope.as_json(
        "glm_upload_file",
        facts,
        metadata=model_choice.served_by(services, "glm") | {"reused": given.reused},
        more=facts,
    )


TOOL = Tool(
    name="glm_upload_file",
    description="Upload a file to GLM; known content is not sent again.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    read_only=False,
    paths={"file": "file"},
)
