"""chat: one question to one model, with files, images and a conversation that can go on."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
from msgspec import Meta

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.providers.base import ChatRequest
from exai_trio.storage.base import Turn
from exai_trio.tools import envelope, prompts
from exai_trio.tools.arguments import concerning
from exai_trio.tools.asking import ask_model, conversations, model_choice
from exai_trio.tools.asking.beside import beside
from exai_trio.tools.asking.conversations import Thread
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.files import file_notices
from exai_trio.workspace.images import is_data_url
from exai_trio.workspace.read import Reading

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.gateway import ChatAnswer, ModelChoice

log = logging.getLogger("exai.tools")


@structs.frozen(kw_only=True)
class Arguments:
    """What chat takes."""

    prompt: Annotated[str, Meta(min_length=1, description="The question, with its context")]
    files: Annotated[
        tuple[str, ...], Meta(description="Absolute paths of files or directories")
    ] = ()
    images: Annotated[
        tuple[str, ...], Meta(description="Absolute paths or data URLs, up to 5 MB each")
    ] = ()
    model: Annotated[str, Meta(description="A name from listmodels, or auto")] = ""
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.5
    thinking_mode: Annotated[
        Literal["minimal", "low", "medium", "high", "max"] | None,
        Meta(
            description="Thinking budget: minimal 0.5 %, low 8 %, medium 33 %, high 67 %, max 100 %"
        ),
    ] = None
    use_websearch: bool = True
    stream: bool = False
    continuation_id: Annotated[
        str, Meta(description="From an earlier answer, to go on with it")
    ] = ""


async def run(arguments: Arguments, caller: Caller, services: Services) -> Answer:
    thread, named = await beside(
        partial(conversations.open_thread, services, caller, arguments.continuation_id),
        partial(_named, arguments, caller, services),
    )
    if thread.own_answer is not None:
        return _told_again(thread, thread.own_answer, services)
    choice = _choose(arguments, thread, 0, services)
    question, found = await _gather(thread, choice, named(), caller, services)
    choice, found = _chosen_again(arguments, thread, found, services)
    messages = [turn.extra.get("files", ()) for turn in thread.turns]
    fitted = ask_model.room(services, choice).fit(found.files, [*messages, question.files])
    material = attrs.evolve(found, files=fitted)
    request = ChatRequest(
        model=choice.model.name,
        messages=await ask_model.assembled(
            services, choice, question, material, turns=thread.turns
        ),
        temperature=arguments.temperature,
        thinking=arguments.thinking_mode,
        web_search=arguments.use_websearch,
        idempotency_key=caller.idempotency_key,
        cache_key=thread.id,
    )
    answer = await ask_model.ask(services, choice, request, caller)
    told = services.now(), caller.latency_metrics()
    exchange = _exchange(arguments, question, choice, answer, told)
    notice = file_notices.of(found.files[path] for path in question.files)
    return await _finish(thread, exchange, answer, services, named=arguments.model, notice=notice)


def _choose(arguments: Arguments, thread: Thread, wished: int, services: Services) -> "ModelChoice":
    images = len(arguments.images)
    size = ask_model.size(arguments.prompt, images=images)
    need = model_choice.Need(images=bool(images), tokens=size, wished=wished)
    return model_choice.choose(services, arguments.model, thread.last_model, need)


def _chosen_again(
    arguments: Arguments, thread: Thread, found: prompts.Material, services: Services
) -> "tuple[ModelChoice, prompts.Material]":
    """Now that the files are known, which `auto` looks at; a model that does not see gets no pictures."""
    images = len(arguments.images) + len(found.images)
    wished = ask_model.size(arguments.prompt, found.files.values(), thread.turns, images)
    choice = _choose(arguments, thread, wished, services)
    return choice, found if choice.model.sees else attrs.evolve(found, images={})


def _told_again(thread: Thread, answered: Turn, services: Services) -> Answer:
    """The answer that an earlier run has stored, of which nobody has heard: it is not asked for, and paid for, twice."""
    facts = {"model_used": answered.model, "provider_used": answered.provider}
    return envelope.simple(
        "chat",
        answered.text,
        metadata=facts | {"notice": "stored before EXAI was started again, and told from there"},
        offer=conversations.offer(services, thread, thread.exchanges),
        usage=answered.extra.get("usage"),
    )


@structs.frozen
class _Named:
    """What the question itself names."""

    arguments: Arguments
    files: tuple[Reading, ...]
    images: tuple[str, ...]


async def _named(arguments: Arguments, caller: Caller, services: Services) -> _Named:
    """Read it, refusing it if need be."""
    await services.gateway.look_again()
    files, roots = services.files, caller.roots
    if arguments.images or caller.found.named(arguments.files) is None:
        caller.stage("reading files", "chat: reading files")
    with concerning("files"):
        named = await files.read(arguments.files, roots, caller.found)
    with concerning("images"):
        return _Named(arguments, named, await files.read_images(arguments.images, roots))


async def _gather(
    thread: Thread, choice: "ModelChoice", named: _Named, caller: Caller, services: Services
) -> tuple[prompts.Question, prompts.Material]:
    """What the question names, and again what the conversation named before."""
    files, roots, arguments = services.files, caller.roots, named.arguments
    unread = _unread(thread.named("files"), named.files)
    if unread and not (arguments.files or arguments.images):
        caller.stage("reading files", "chat: reading files")
    earlier = await files.read_again(unread, roots)
    pictures = thread.named("images") if choice.model.sees else []
    paths = [reading.path for reading in named.files]
    readings = {reading.path: reading for reading in (*earlier, *named.files)}
    return (
        prompts.Question(text=arguments.prompt, files=paths, images=named.images),
        prompts.Material(
            files=readings,
            images=await files.read_images_again(pictures, roots),
        ),
    )


def _unread(paths: list[str], read: tuple[Reading, ...]) -> list[str]:
    known = {reading.path for reading in read}
    return [path for path in paths if path not in known]


def _exchange(
    arguments: Arguments,
    question: prompts.Question,
    choice: "ModelChoice",
    answer: "ChatAnswer",
    told: tuple[float, dict[str, Any]],
) -> tuple[Turn, Turn]:
    """`told` are the time and how long the call has taken."""
    now, latency_metrics = told
    inline = [image for image in arguments.images if is_data_url(image)]
    asked = Turn(
        role="user",
        text=arguments.prompt,
        tool="chat",
        at=now,
        extra=conversations.extra(
            files=list(question.files),
            images=[image for image in arguments.images if image not in inline],
            inline_images=len(inline),
        ),
    )
    answered = Turn(
        role="assistant",
        text=envelope.whole_characters(answer.text),
        tool="chat",
        # Not what the provider calls it: under this name the next turn finds the same model.
        model=choice.model.name,
        provider=choice.provider,
        at=now,
        extra=conversations.extra(
            reasoning=envelope.whole_characters(answer.reasoning),
            usage={
                "input_tokens": answer.usage.input_tokens,
                "output_tokens": answer.usage.output_tokens,
            },
            latency_metrics=latency_metrics,
        ),
    )
    return asked, answered


async def _finish(
    thread: Thread,
    exchange: tuple[Turn, Turn],
    answer: "ChatAnswer",
    services: Services,
    *,
    named: str,
    notice: str,
) -> Answer:
    """Keep the exchange and say how to go on. A store that fails costs the conversation, not the answer."""
    facts = file_notices.added(model_choice.facts(answer, named), notice)
    facts = file_notices.added(facts, thread.notice)
    try:
        offer = await conversations.keep(services, thread, exchange)
    except StorageError as fault:
        log.warning("conversation not kept", extra={"fault": str(fault)})
        offer = None
        facts = file_notices.added(facts, "this conversation could not be stored")
    return envelope.simple(
        "chat", answer.text, metadata=facts, offer=offer, usage=model_choice.usage(answer)
    )


TOOL = Tool(
    name="chat",
    description="Ask GLM or Kimi for a second opinion: questions, reviews of ideas, brainstorming. Goes on with continuation_id.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    visibility="essential",
    asks_model=True,
    seldom=frozenset({"stream"}),
    paths={"files": "read", "images": "file"},
)
