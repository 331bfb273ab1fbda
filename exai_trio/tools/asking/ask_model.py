"""Asking a model, as every tool does it: what goes into the prompt is reckoned by what the model's earlier answers counted."""

import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import PromptTooLongError, StorageError
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.storage.base import Turn
from exai_trio.tools import prompts
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Services
from exai_trio.workspace import token_budget
from exai_trio.workspace.read import Reading

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.observability.events import RequestEnded
    from exai_trio.providers.gateway import ChatAnswer, Listener, ModelChoice

KEEPING_S: Final = 10.0  # for what came of an answer that was cut: its way to the store
_MUCH: Final = 100_000  # characters of files; so much takes some 2 ms

log = logging.getLogger("exai.tools")

# Whose models want their own earlier thinking back; the others are not sent it.
TAKING_THINKING: Final = frozenset({"kimi"})


def room(services: Services, choice: "ModelChoice") -> prompts.Room:
    """What the chosen model takes, as far as its own counts are known."""
    return prompts.Room(
        context_window=choice.model.context_window,
        factor=services.calibration.factor(model_choice.address(choice)),
        takes_thinking=choice.provider in TAKING_THINKING,
    )


async def assembled(
    services: Services,
    choice: "ModelChoice",
    question: prompts.Question,
    material: prompts.Material,
    *,
    turns: Sequence[Turn] = (),
    system: str = prompts.SYSTEM,
) -> tuple[Message, ...]:
    """The messages for the chosen model. Much text is put together in a thread: the event loop has others to serve.

    Raises: PromptTooLongError. Cancelling leaves nothing behind.
    """
    assemble = partial(
        prompts.assemble,
        system=system,
        turns=turns,
        question=question,
        material=material,
        answering=model_choice.address(choice),
        room=room(services, choice),
    )
    with _naming_larger(services, images=bool(question.images)):
        if sum(len(reading.text) for reading in material.files.values()) < _MUCH:
            return assemble()
        return await trio.to_thread.run_sync(
            assemble,
            thread_name="exai prompts",
            abandon_on_cancel=True,
            limiter=services.files.limiter,
        )


@contextmanager
def _naming_larger(services: Services, *, images: bool) -> Generator[None]:
    """A prompt that is too long for its model is refused with the names of models that hold it."""
    try:
        yield
    except PromptTooLongError as fault:
        tokens = fault.details.get("tokens", 0)
        names = model_choice.holding(services, model_choice.Need(images=images, tokens=tokens))
        fault.details["models"] = names
        if names:
            fault.message += f" {', '.join(names)} would hold it."
        raise


def size(
    question: str, readings: Iterable[Reading] = (), turns: Iterable[Turn] = (), images: int = 0
) -> int:
    """Estimated tokens of all that a prompt could hold, with room for files beside the rest."""
    files = sum(
        0 if reading.reason else token_budget.file_tokens(reading.text) for reading in readings
    )
    texts = token_budget.text_tokens(question) + sum(
        token_budget.text_tokens(turn.text) for turn in turns
    )
    return prompts.whole_size(texts=texts, files=files, images=images)


async def ask(
    services: Services, choice: "ModelChoice", request: ChatRequest, listener: "Listener"
) -> "ChatAnswer":
    """The answer, whose count of the prompt is learnt from. Raises and cancels as Gateway.chat does; PromptTooLongError
    before anything is sent, naming models that hold it."""
    with _naming_larger(services, images=any(message.images for message in request.messages)):
        room(services, choice).check_possible(request.messages, model_choice.address(choice))
    answer = await services.gateway.chat(choice, request, listener)
    if choice.model.context_window is None and _is_comparable(request, answer):
        estimated = room(services, choice).estimate(request.messages)
        if cut := model_choice.cut_unasked(choice, estimated, answer.usage.input_tokens):
            return attrs.evolve(answer, notice="; ".join(filter(None, [cut, answer.notice])))
    if _is_comparable(request, answer):
        await _learn(services, choice, request, answer)
    return answer


@structs.frozen(eq=False)
class TimeLimit:
    """A listener whose deadline is a scope's: it moves when the model's text begins to come."""

    listener: "Listener"
    scope: trio.CancelScope

    def stage(self, stage: str, message: str) -> None:
        self.listener.stage(stage, message)

    def chunk(self, text: str) -> None:
        self.listener.chunk(text)

    def waited_for_provider(self, provider: str, seconds: float) -> None:
        self.listener.waited_for_provider(provider, seconds)

    def requested(self, request: "RequestEnded") -> None:
        self.listener.requested(request)

    def flows(self, until: float) -> float:
        cut_at = self.listener.flows(until)
        give_time(self.scope, cut_at)
        return cut_at


def give_time(scope: trio.CancelScope, cut_at: float) -> None:
    """Let the scope last until a stream is cut, and what came is kept."""
    scope.deadline = max(scope.deadline, cut_at + KEEPING_S)


def _is_comparable(request: ChatRequest, answer: "ChatAnswer") -> bool:
    """What was counted is what we estimate: texts, sent once. Tools, pictures and what a search found are in no estimate."""
    pictures = any(message.images for message in request.messages)
    whole = answer.rounds == 1 and not answer.cut
    return whole and not (answer.web_results or request.tools or pictures)


async def _learn(
    services: Services, choice: "ModelChoice", request: ChatRequest, answer: "ChatAnswer"
) -> None:
    """A factor that moved is kept for the next daemon; a store that fails costs it no more than that."""
    model, usage = model_choice.address(choice), answer.usage
    estimated = room(services, choice).estimate(request.messages)
    moved = services.calibration.learn(
        model, estimated, usage.input_tokens, cached=usage.cached_tokens
    )
    if moved is None:
        return
    try:
        await services.ratios.keep(model, moved, services.now())
    except StorageError as fault:
        log.warning("token count not kept", extra={"model": model, "fault": fault.message})
