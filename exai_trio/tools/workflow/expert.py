"""The one question to an expert model at the end of an investigation, and what counts as an answer."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import BadAnswerError, CallTimeoutError, ExaiError
from exai_trio.providers.base import ChatRequest, ThinkingLevel
from exai_trio.tools import prompts
from exai_trio.tools.arguments import concerning
from exai_trio.tools.asking import ask_model, model_choice
from exai_trio.tools.asking.conversations import Thread
from exai_trio.tools.envelope import whole_characters
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow.definition import Hold, StepCall, Workflow
from exai_trio.tools.workflow.response import Outcome
from exai_trio.tools.workflow.steps.investigation_state import State
from exai_trio.workspace import path_policy

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.gateway import ChatAnswer, Listener, ModelChoice

_MOST_NAMED = 5  # files in a message


@structs.frozen(kw_only=True)
class Case:
    """An investigation that is ready to be judged; `sections` are what the tool itself found out."""

    workflow: Workflow
    call: StepCall
    state: State
    thread: Thread
    sections: tuple[prompts.Section, ...] = ()


async def ask(case: Case) -> Outcome | Hold:
    """Ask once, unless there is nothing to show of the files that it is about. Raises: ExaiError for no answer, an empty one or a
    cut one. Cancelling ends the request; nothing is stored."""
    call, services, name = case.call, case.call.services, case.workflow.name
    text = prompts.investigation(name, case.state, sections=case.sections, task=prompts.TASKS[name])
    choice = _choose(case, text, prompts.Material())
    question, everything = await gather(case, text, sees=choice.model.sees)
    choice = _choose(case, text, everything)  # now that the files are known
    if not choice.model.sees:
        everything = attrs.evolve(everything, images={})
    material = fitted(case, everything, ask_model.room(services, choice))
    if hold := _nothing_shown(case, unread(case.state, material)):
        return hold
    request = ChatRequest(
        model=choice.model.name,
        messages=await ask_model.assembled(
            services, choice, question, material, turns=case.thread.turns
        ),
        temperature=_temperature(case),
        thinking=_thinking(case),
        web_search=call.arguments.use_websearch,
        idempotency_key=call.caller.idempotency_key,
        cache_key=case.thread.id,
    )
    call.caller.stage("waiting for provider", f"{name}: asking {choice.model.name}")
    with time_limit(services.config.expert_analysis_timeout_secs, call.caller) as listener:
        answer = await ask_model.ask(services, choice, request, listener)
    check(answer)
    return attrs.evolve(
        _outcome(case, choice, answer),
        asked=text,
        unread=unread(case.state, material),
        remarks=remarks(case.state, material),
    )


def _choose(case: Case, text: str, material: prompts.Material) -> "ModelChoice":
    wanted = need(case, text, len(case.state.images), material)
    return model_choice.choose(case.call.services, case.state.model, case.thread.last_model, wanted)


def need(case: Case, text: str, images: int, material: prompts.Material) -> model_choice.Need:
    """What this question asks of a model, with so many images of its own."""
    shown = images + len(material.images)
    wished = ask_model.size(text, material.files.values(), case.thread.turns, shown)
    return model_choice.Need(
        images=bool(images), tokens=ask_model.size(text, images=images), wished=wished
    )


async def gather(case: Case, text: str, *, sees: bool) -> tuple[prompts.Question, prompts.Material]:
    """The question with the newest content of all files that steps and conversation named, and their images.
    Cancelling leaves a read to its thread."""
    state, thread, caller = case.state, case.thread, case.call.caller
    files, roots = case.call.services.files, caller.roots
    named = list(dict.fromkeys([*thread.named("files"), *state.relevant_files]))
    if state.images or caller.found.lying(named) is None:
        caller.stage("reading files", f"{case.workflow.name}: reading files")
    readings = await files.read_again(named, roots, caller.found)
    with concerning("images"):
        images = await files.read_images(state.images, roots)
    earlier = thread.named("images") if sees else []
    return (
        prompts.Question(text=text, files=state.relevant_files, images=images),
        prompts.Material(
            files={reading.path: reading for reading in readings},
            images=await files.read_images_again(earlier, roots),
        ),
    )


def fitted(case: Case, material: prompts.Material, room: prompts.Room) -> prompts.Material:
    """What of the files there is room for; the others stay named."""
    messages = [turn.extra.get("files", ()) for turn in case.thread.turns]
    fit = room.fit(material.files, [*messages, case.state.relevant_files])
    return attrs.evolve(material, files=fit)


def unread(state: State, material: prompts.Material) -> dict[str, str]:
    """The relevant files whose content no model has seen, each with the reason."""
    found = {path: material.files.get(path) for path in state.relevant_files}
    return {path: reading.reason for path, reading in found.items() if reading and reading.reason}


def _nothing_shown(case: Case, unread: Mapping[str, str]) -> Hold | None:
    """A judgement of files that nobody has seen is none."""
    if not case.workflow.needs_files or len(unread) < len(case.state.relevant_files):
        return None
    some = [
        f"{path_policy.shown(path)} ({why})" for path, why in islice(unread.items(), _MOST_NAMED)
    ]
    more = [f"{len(unread) - len(some)} more"] if len(unread) > len(some) else []
    which = "; ".join([*some, *more]) or "none is named"
    return Hold(
        status=Status.FILES_REQUIRED_TO_CONTINUE,
        why=f"No model was asked, since none of the relevant_files can be shown: {which}."
        " Send this step again with files that can be read.",
        actions=(
            "Name files that are there and are text, as absolute paths in relevant_files.",
            "If there are none, judge yourself and send this step with use_assistant_model false.",
        ),
        arguments={"relevant_files": ["/absolute/path/of/a/file"]},
    )


def remarks(state: State, material: prompts.Material) -> dict[str, str]:
    """What is said of relevant files that a model has seen: those that are not plain UTF-8."""
    found = {path: material.files.get(path) for path in state.relevant_files}
    return {
        path: reading.remark
        for path, reading in found.items()
        if reading and reading.remark and not reading.reason
    }


def _temperature(case: Case) -> float:
    asked: float | None = case.call.arguments.temperature
    return case.workflow.temperature if asked is None else asked


def _thinking(case: Case) -> ThinkingLevel | None:
    asked: ThinkingLevel | None = case.call.arguments.thinking_mode
    return asked or case.workflow.thinking


@contextmanager
def time_limit(seconds: float, listener: "Listener") -> Generator[ask_model.TimeLimit]:
    """The time in which the model must begin to answer. Raises: CallTimeoutError naming the setting. A call that has less time
    left ends as every call does."""
    with trio.move_on_after(seconds) as limit:
        yield ask_model.TimeLimit(listener, limit)
    if limit.cancelled_caught:
        raise CallTimeoutError(
            f"The expert model did not answer within {seconds:g} s (EXPERT_ANALYSIS_TIMEOUT_SECS).",
            details={"limit": "expert_analysis", "timeout_s": seconds},
        )


def check(answer: "ChatAnswer") -> None:
    """Raises: BadAnswerError unless the answer is one, and whole as far as the model meant it."""
    if not answer.text.strip():
        raise BadAnswerError("The expert's answer was empty.", details={"reason": "empty"})
    if answer.finish_reason == "length":
        raise BadAnswerError(
            "The expert's answer was cut off at the model's output limit. Name fewer files, or a model with a larger limit.",
            details={"reason": "cut"},
        )


@contextmanager
def keeping_findings(workflow: Workflow, continuation_id: str, number: int) -> Generator[None]:
    """Faults say that nothing of the investigation is lost, and how to go on."""
    try:
        yield
    except ExaiError as fault:
        fault.message = (
            f"{fault.message.rstrip()} Your findings are kept: call {workflow.name} again with step_number {number} and"
            f" continuation_id {continuation_id}."
        )
        fault.details |= {"continuation_id": continuation_id, "findings_kept": True}
        raise


def _outcome(case: Case, choice: "ModelChoice", answer: "ChatAnswer") -> Outcome:
    text = whole_characters(answer.text)
    facts = model_choice.facts(answer, case.state.model)
    if _thinking(case) and choice.model.thinking == "none":
        silent = f"{choice.model.name} does not think; name a model that does"
        facts["notice"] = "; ".join(filter(None, [answer.notice, silent]))
    return Outcome(
        status=case.workflow.done,
        reply=text,
        analysis={
            "status": "partial" if answer.cut else "analysis_complete",
            "model": answer.model_used,
            "content": text,
        },
        metadata=facts,
        usage=model_choice.usage(answer),
        # Not what the provider calls it: under this name the next turn finds the same model.
        model=choice.model.name,
        provider=choice.provider,
        reasoning=whole_characters(answer.reasoning),
    )
