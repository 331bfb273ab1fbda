"""kimi_chat_with_files: a question to Kimi about files that it holds; their text goes before the question, a message each."""

from typing import TYPE_CHECKING, Annotated

import trio
from msgspec import Meta

from exai_trio import structs
from exai_trio.errors import ArgumentError, CallTimeoutError
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.tools import envelope
from exai_trio.tools.arguments import concerning
from exai_trio.tools.asking import ask_model, model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.files import upload_facts, uploads

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.gateway import ModelChoice

LONGEST_S = 60.0


@structs.frozen(kw_only=True)
class Arguments:
    """What kimi_chat_with_files takes."""

    prompt: Annotated[str, Meta(min_length=1)]
    file_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)]
    model: str = "kimi-k2-0905-preview"  # audit: model, because it is the tool's published default
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.3
    continuation_id: Annotated[
        str, Meta(description="Keeps the files as long as this conversation")
    ] = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    choice = model_choice.of_provider(services, "kimi", arguments.model)
    await uploads.check_conversation(services, caller, arguments.continuation_id)
    async with uploads.referring(services, caller):
        return await _answered(choice, arguments, caller, services)


async def _answered(
    choice: "ModelChoice", arguments: Arguments, caller: Caller, services: Services
) -> Answer:
    known = await uploads.refer_known(
        services, caller, "kimi", arguments.file_ids, arguments.continuation_id
    )
    files = [
        {
            "file_id": upload.provider_file_id,
            **upload_facts.of(upload, reused=True, hosted=services.uploads.hosted),
        }
        for upload in known
    ]
    with trio.move_on_after(LONGEST_S):
        request = ChatRequest(
            model=choice.model.name,
            messages=(
                *await extracts(services, caller, arguments.file_ids),
                Message(role="user", text=arguments.prompt),
            ),
            temperature=arguments.temperature,
            idempotency_key=caller.idempotency_key,
        )
        answer = await ask_model.ask(services, choice, request, caller)
        return envelope.simple(
            "kimi_chat_with_files",
            answer.text,
            metadata=model_choice.facts(answer, arguments.model) | {"files": files},
            usage=model_choice.usage(answer),
            more={"model": answer.model_used},
        )
    raise CallTimeoutError(
        f"Kimi had not answered after {LONGEST_S:g} s. Ask about fewer files, or a faster model.",
        details={"limit": "kimi_chat_with_files", "seconds": LONGEST_S},
    )


async def extracts(services: Services, caller: Caller, file_ids: tuple[str, ...]) -> list[Message]:
    """The text of each file once, as Kimi extracted it. Raises: ArgumentError, NotFoundError, ProviderError.
    Cancelling ends the request under way."""
    messages: list[Message] = []
    with concerning("file_ids"):
        for file_id in dict.fromkeys(map(uploads.check_id, file_ids)):
            caller.stage("reading files", f"kimi: text of {file_id}")
            content = await uploads.read_file(services, caller, "kimi", file_id)
            if not content.strip():
                raise ArgumentError(f"Kimi found no text in file {file_id}.")
            messages.append(Message(role="system", text=content.decode(errors="replace")))
    return messages


TOOL = Tool(
    name="kimi_chat_with_files",
    description="Ask Kimi about files uploaded before.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    asks_model=True,
)
