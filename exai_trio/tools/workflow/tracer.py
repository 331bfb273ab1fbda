"""tracer: follows a call flow or dependencies. Builds what the syntax trees of Python files show; the agent adds the rest. Asks no model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import trio

from exai_trio.files.reading import Reading
from exai_trio.tools.workflow import callflow
from exai_trio.tools.workflow.arguments import Confidence, Evidence, Names
from exai_trio.tools.workflow.engine import tool
from exai_trio.tools.workflow.kinds import Findings, Hold, StepCall, Workflow
from exai_trio.tools.workflow.steps import Note, State

MODE_SELECTION = "mode_selection_required"
_PYTHON = {".py", ".pyi"}


@attrs.frozen(kw_only=True)
class Arguments(Evidence):
    """What tracer takes."""

    trace_mode: Literal["precision", "dependencies", "ask"]
    target_description: str
    files_checked: Names = ()
    confidence: Confidence | None = None
    images: Names = ()
    model: str = ""


async def look(call: StepCall) -> Findings:
    """The call flow in the Python files that were named so far, from their newest content."""
    arguments = call.arguments
    if arguments.trace_mode == "ask" or not call.files:
        return Findings()
    python = [path for path in call.files if Path(path).suffix in _PYTHON]
    readings = await call.services.files.read_again(python, call.caller.roots)
    limiter = call.services.files.limiter
    flow = await trio.to_thread.run_sync(
        _flow, readings, arguments.target_description, arguments.trace_mode, limiter=limiter
    )
    others = [path for path in call.files if path not in python]
    answer: dict[str, Any] = {"call_flow": flow}
    if others:
        answer["to_trace_by_reading"] = others
    return Findings(facts=answer, answer=answer)


def _flow(readings: Sequence[Reading], target: str, mode: str) -> dict[str, Any]:
    modules: list[callflow.Module] = []
    for reading in readings:
        trio.from_thread.check_cancelled()
        modules.append(
            callflow.Module(path=reading.path, fault=reading.reason)
            if reading.reason
            else callflow.parsed(reading.path, reading.text)
        )
    return callflow.traced(modules, target, mode)


def hold(note: Note) -> Hold | None:
    if note.own.get("trace_mode") != "ask":
        return None
    return Hold(
        status=MODE_SELECTION,
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
        description="Trace call flow or dependencies stepwise; Python from the files. Asks no model.",
        arguments=Arguments,
        done="analysis_complete",
        asks="nobody",
        visibility="advanced",
        actions=(
            "Name the files that define the target and its callers in relevant_files; Python among them is traced for you.",
            "Read files of other languages yourself; note each call with file and line, its condition and its effects.",
            "Name what is decided only at run time: callbacks, registries, dynamic imports.",
        ),
        look=look,
        hold=hold,
        outcome=outcome,
        seldom=frozenset({"confidence", "model"}),
        further_statuses=(MODE_SELECTION,),
    )
)
