"""The engine of all workflow tools: open the thread, look, note the step, and answer: go on, wait for something, or end.

A tool object holds no state. Between the steps everything is in the store, so that a restart loses nothing and two
investigations never meet.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.storage import base as storage
from exai_trio.tools.asking import conversations
from exai_trio.tools.asking.beside import beside
from exai_trio.tools.asking.conversations import Thread
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.files import file_notices
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow import expert, response
from exai_trio.tools.workflow.definition import Findings, Hold, StepCall, Workflow
from exai_trio.tools.workflow.kept_exchange import exchange
from exai_trio.tools.workflow.panel import ask_panel
from exai_trio.tools.workflow.response import Outcome
from exai_trio.tools.workflow.step_arguments import SELDOM, Stepwise
from exai_trio.tools.workflow.steps import named_files
from exai_trio.tools.workflow.steps.investigation_state import Note, State, state_of
from exai_trio.tools.workflow.steps.named_files import Named
from exai_trio.tools.workflow.steps.step_note import check_lengths, note_of
from exai_trio.workspace import secrets
from exai_trio.workspace.path_checks import PathUse

log = logging.getLogger("exai.tools")


def tool(workflow: Workflow) -> Tool:
    """The workflow as a tool among others."""
    return Tool(
        name=workflow.name,
        description=workflow.description,
        arguments=workflow.arguments,
        run=partial(run, workflow),
        repeatable=True,
        kind="workflow",
        visibility=workflow.visibility,
        asks_model=workflow.asks != "nobody",
        paths=_paths(workflow),
        output_schema=response.output_schema(workflow),
        tolerated=workflow.tolerated,
        seldom=SELDOM | workflow.seldom,
    )


def _paths(workflow: Workflow) -> dict[str, PathUse]:
    uses: dict[str, PathUse] = {
        "relevant_files": "inside" if workflow.names_deleted else "read",
        "images": "file",
        "path": "inside",
    }
    taken = {field.name for field in attrs.fields(workflow.arguments)}
    return {name: use for name, use in uses.items() if name in taken}


async def run(
    workflow: Workflow, arguments: Stepwise, caller: Caller, services: Services
) -> Answer:
    """One step. Raises: ExaiError; from the moment that the step is noted, the fault says that it is kept."""
    check_lengths(arguments)
    await services.gateway.look_again()
    check_model(getattr(arguments, "model", ""), services)
    thread, state, named = await _begin(workflow, arguments, caller, services)
    known = {*state.relevant_files, *thread.named("files")}
    new_files = named_files.allowed(named(), known, names_deleted=workflow.names_deleted)
    call = StepCall(
        arguments=arguments,
        caller=caller,
        services=services,
        state=state,
        files=tuple(dict.fromkeys([*state.relevant_files, *new_files])),
    )
    found = await workflow.look(call)
    note = note_of(arguments, new_files, found.facts)
    state = await _keep(workflow, thread, note, services)
    step = response.Step(
        workflow=workflow,
        continuation_id=thread.id,
        state=state,
        note=note,
        arguments=arguments,
        found=found.answer,
        remarks=(*_remarks(arguments), *await _secrets(new_files, caller, services)),
    )
    hold = _files_missing(workflow, note, state) or workflow.hold(note)
    if hold is not None:
        return response.held(step, hold)
    if note.more:
        return response.paused(step)
    with expert.keeping_findings(workflow, thread.id, note.number):
        return await _end(call, thread, step, found)


async def _begin(
    workflow: Workflow, arguments: Stepwise, caller: Caller, services: Services
) -> tuple[Thread, State, Callable[[], tuple[Named, ...]]]:
    """The conversation, the investigation, and what gives the files that the step names, or raises why they may not be used."""
    opening = partial(_open, workflow, arguments, caller, services)
    named = named_files.looked_at(arguments, caller)
    if named is not None:
        return *await opening(), lambda: named
    (thread, state), found = await beside(
        opening, partial(named_files.look, arguments, caller, services)
    )
    return thread, state, found


async def _open(
    workflow: Workflow,
    arguments: Stepwise,
    caller: Caller,
    services: Services,
) -> tuple[Thread, State]:
    """The conversation, and this tool's investigation in it."""
    thread = await conversations.open_thread(
        services, caller, arguments.continuation_id, going_on=workflow.name
    )
    return thread, _state(workflow, thread.steps)


def _state(workflow: Workflow, steps: tuple[storage.Step, ...]) -> State:
    return state_of(step.data for step in steps if step.tool == workflow.name)


def check_model(named: str, services: Services) -> None:
    """Raises: NotFoundError at the first step, not after the last. A provider that is missing may be there by then."""
    if named:
        try:
            services.gateway.choose(named)
        except ServiceUnavailableError:  # audit: empty-handler, because it may be there by then
            return


async def _keep(workflow: Workflow, thread: Thread, note: Note, services: Services) -> State:
    """Note the step. The state is the one after it, whatever else came at the same time."""
    steps = await conversations.keep_step(services, thread, workflow.name, note.as_data())
    return _state(workflow, steps)


def _remarks(arguments: Stepwise) -> tuple[str, ...]:
    number, total = arguments.step_number, arguments.total_steps
    if number <= total:
        return ()
    return (f"step_number {number} is above total_steps {total}: total_steps is {number} now.",)


async def _secrets(files: Sequence[str], caller: Caller, services: Services) -> tuple[str, ...]:
    """Says which files of directories no model will see, as far as their names tell."""
    suspects = [path for path in files if secrets.by_name(path)]
    notice = file_notices.of(await services.files.read_again(suspects, caller.roots))
    return (f"Files {notice}.",) if notice else ()


def _files_missing(workflow: Workflow, note: Note, state: State) -> Hold | None:
    if not workflow.needs_files or note.number > 1 or state.relevant_files:
        return None
    return Hold(
        status=Status.FILES_REQUIRED_TO_CONTINUE,
        why=f"{workflow.name} needs to know which files it is about. Send step 1 again with relevant_files.",
        actions=("Find the files in question and name them as absolute paths in relevant_files.",),
        arguments={"relevant_files": ["/absolute/path/of/a/file"]},
    )


async def _end(call: StepCall, thread: Thread, step: response.Step, found: Findings) -> Answer:
    outcome = _told_again(workflow=step.workflow, thread=thread) or await _outcome(
        call, thread, step, found
    )
    if isinstance(outcome, Hold):
        return response.held(step, outcome)
    kept = await _keep_outcome(call, thread, step, outcome)
    lost = "" if kept else "this result could not be stored in the conversation"
    told = "; ".join(filter(None, (lost, thread.notice)))
    metadata = file_notices.added(outcome.metadata, told)
    return response.ended(step, attrs.evolve(outcome, metadata=metadata))


def _told_again(workflow: Workflow, thread: Thread) -> Outcome | None:
    """What models have answered an earlier run of this call, if that was stored: they are not asked, and paid for, twice."""
    answered = thread.own_answer
    if answered is None or not (answered.model or workflow.asks == "panel"):
        return None
    model, text = answered.model, answered.text
    return Outcome(
        status=workflow.done,
        reply=text,
        analysis={"status": "analysis_complete", "model": model, "content": text},
        metadata={
            "model_used": model,
            "provider_used": answered.provider,
            "notice": "stored before EXAI was started again, and told from there",
        },
        model=model,
        provider=answered.provider,
    )


async def _outcome(
    call: StepCall, thread: Thread, step: response.Step, found: Findings
) -> Outcome | Hold:
    workflow, state = step.workflow, step.state
    case = expert.Case(
        workflow=workflow, call=call, state=state, thread=thread, sections=found.sections
    )
    if workflow.asks == "panel":
        return await ask_panel.ask(case)
    if workflow.asks == "nobody":
        plan = workflow.outcome(state).get("text")
        return Outcome(status=workflow.done, reply=str(plan or f"{workflow.name} is complete."))
    if state.confidence == "certain" or not call.arguments.use_assistant_model:
        return Outcome(status=Status.LOCAL_WORK_COMPLETE, reply="Noted. No model was asked.")
    return await expert.ask(case)


async def _keep_outcome(
    call: StepCall, thread: Thread, step: response.Step, outcome: Outcome
) -> bool:
    """Add question and answer to the conversation and close the investigation. A store that fails costs that, not the answer."""
    workflow = step.workflow
    try:
        kept = exchange(call, step, outcome)
        await conversations.keep(call.services, thread, kept, ended=workflow.name)
    except StorageError as fault:
        log.warning("outcome not kept", extra={"fault": str(fault), "tool": workflow.name})
        return False
    return True
