"""tracer: follows a call flow or dependencies.

Builds what the syntax trees of the files show; the agent adds the rest. Asks no model.
"""

from collections.abc import Sequence
from typing import Any, Literal

import trio

from exai_trio import structs
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow.definition import Findings, Hold, StepCall, Workflow
from exai_trio.tools.workflow.engine import tool
from exai_trio.tools.workflow.step_arguments import Confidence, Evidence, Names
from exai_trio.tools.workflow.steps.investigation_state import Note, State
from exai_trio.tools.workflow.tracing import callflow, languages, parsing
from exai_trio.tools.workflow.tracing.sources import Source
from exai_trio.workspace.read import Reading


@structs.frozen(kw_only=True)
class Arguments(Evidence):
    """What tracer takes."""

    trace_mode: Literal["precision", "dependencies", "ask"]
    target_description: str
    files_checked: Names = ()
    confidence: Confidence | None = None
    images: Names = ()
    model: str = ""


async def look(call: StepCall) -> Findings:
    """The call flow in the files that were named so far, from their newest content."""
    arguments = call.arguments
    if arguments.trace_mode == "ask" or not call.files:
        return Findings()
    known = [path for path in call.files if languages.is_known(path)]
    readings = await call.services.files.read_again(known, call.caller.roots)
    async with call.services.source_readers:
        sources = await _sources(readings)
    flow = await trio.to_thread.run_sync(
        callflow.traced, sources, arguments.target_description, arguments.trace_mode
    )
    answer: dict[str, Any] = {"call_flow": flow}
    if remarks := {each.path: each.remark for each in readings if each.remark}:
        answer["remarks"] = remarks
    others = [path for path in call.files if path not in known]
    if others:
        answer["to_trace_by_reading"] = others
    return Findings(facts=answer, answer=answer)


async def _sources(readings: Sequence[Reading]) -> dict[str, Source]:
    """What is said in each file, by its path, in order."""
    texts = [(each.path, each.text) for each in readings if not each.reason]
    read = await parsing.read(texts, parsing.Limits())
    found = dict(zip((path for path, _ in texts), read, strict=True))
    return {
        each.path: Source(fault=each.reason) if each.reason else found[each.path]
        for each in readings
    }


def hold(note: Note) -> Hold | None:
    if note.own.get("trace_mode") != "ask":
        return None
    return Hold(
        status=Status.MODE_SELECTION_REQUIRED,
        why="Ask the user which trace is wanted, then send this step again with that trace_mode.",
        actions=(
            "precision: which code runs, in which order, when the target is called.",
            "dependencies: what the target uses and what uses it.",
        ),
        arguments={"trace_mode": "precision"},
    )


def outcome(state: State) -> dict[str, Any]:
    """The newest call flow, and the notes as text."""
    facts = next((note.facts for note in reversed(state.notes) if note.facts), dict[str, Any]())
    said = [note.findings or note.text for note in state.notes]
    return {**facts, "text": "\n\n".join(said)}


TOOL = tool(
    Workflow(
        name="tracer",
        description="Stepwise trace of call flow or dependencies from the files: you investigate between steps. Asks no model.",
        arguments=Arguments,
        done=Status.ANALYSIS_COMPLETE,
        asks="nobody",
        visibility="advanced",
        actions=(
            "Name the files that define the target and its callers in relevant_files; their call flow is traced for you.",
            "Read what is in to_trace_by_reading, unparsed or partly_parsed yourself; note each call with file and line.",
            "Note for each call that matters its condition and its effects.",
            "Name what is decided only at run time: callbacks, registries, dynamic imports.",
        ),
        look=look,
        hold=hold,
        outcome=outcome,
        seldom=frozenset({"confidence", "model"}),
        further_statuses=(Status.MODE_SELECTION_REQUIRED,),
    )
)
