"""docgen: leads the agent through documenting file after file, and counts.

Asks no model.
"""

from collections.abc import Mapping
from typing import Any

from exai_trio import structs
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow.definition import Hold, Workflow
from exai_trio.tools.workflow.engine import tool
from exai_trio.tools.workflow.step_arguments import Count, Described, Evidence
from exai_trio.tools.workflow.steps.investigation_state import Note, State


@structs.frozen(kw_only=True)
class Arguments(Evidence):
    """What docgen takes."""

    document_complexity: bool
    document_flow: bool
    update_existing: bool
    comments_on_complex_logic: bool
    num_files_documented: Count
    total_files_to_document: Count
    issues_found: tuple[Described, ...] = ()


def counters(state: State) -> Mapping[str, Any]:
    """How far the work is, as the newest step says."""
    return _counted(state.notes[-1])


def _counted(note: Note) -> dict[str, int]:
    """More files done than there were raise the total."""
    own = note.own
    done = own["num_files_documented"]
    total = max(done, own["total_files_to_document"])
    return {
        "num_files_documented": done,
        "total_files_to_document": total,
        "files_remaining": total - done,
    }


def hold(note: Note) -> Hold | None:
    """The work is not over while files are left."""
    left = _counted(note)["files_remaining"]
    if note.more or not left:
        return None
    return Hold(
        status=Status.PAUSE_FOR_DOCGEN,
        why=f"{left} files are not documented yet: go on, or lower total_files_to_document.",
    )


TOOL = tool(
    Workflow(
        name="docgen",
        description="Document code file by file: you investigate and write between steps. Asks no model.",
        arguments=Arguments,
        done=Status.DOCUMENTATION_ANALYSIS_COMPLETE,
        asks="nobody",
        visibility="advanced",
        actions=(
            "Document one file: every public name, as the options ask; change no code.",
            "Count it in num_files_documented, and note faults of the code in findings without mending them.",
        ),
        seldom=frozenset({"issues_found"}),
        hold=hold,
        progress=counters,
        outcome=counters,
    )
)
