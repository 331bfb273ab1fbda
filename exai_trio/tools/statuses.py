"""How an answer stands: every status that any tool can answer with, and so every status that an output schema lists. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from exai_trio.wire.handles import RUNNING as _RUNNING


class Status(StrEnum):
    """The `status` of answers."""

    # Simple tools.
    SUCCESS = "success"
    CONTINUATION_AVAILABLE = "continuation_available"  # the same, and the conversation can go on
    PARTIAL = (
        "partial"  # the model's answer was cut by a deadline; what came until then is the content
    )
    # Any tool: the call goes on, and its outcome is fetched with its handle.
    RUNNING = _RUNNING
    # Workflow tools between two steps.
    PAUSE_FOR_ANALYZE = "pause_for_analyze"
    PAUSE_FOR_CODEREVIEW = "pause_for_codereview"
    PAUSE_FOR_CONSENSUS = "pause_for_consensus"
    PAUSE_FOR_DEBUG = "pause_for_debug"
    PAUSE_FOR_DOCGEN = "pause_for_docgen"
    PAUSE_FOR_PLANNER = "pause_for_planner"
    PAUSE_FOR_PRECOMMIT = "pause_for_precommit"
    PAUSE_FOR_REFACTOR = "pause_for_refactor"
    PAUSE_FOR_SECAUDIT = "pause_for_secaudit"
    PAUSE_FOR_TESTGEN = "pause_for_testgen"
    PAUSE_FOR_THINKDEEP = "pause_for_thinkdeep"
    PAUSE_FOR_TRACER = "pause_for_tracer"
    # … waiting for something before they can go on …
    FILES_REQUIRED_TO_CONTINUE = "files_required_to_continue"
    MODE_SELECTION_REQUIRED = "mode_selection_required"
    # … and at their end.
    PLANNING_COMPLETE = "planning_complete"
    INVESTIGATION_COMPLETE = "investigation_complete"
    ANALYSIS_COMPLETE = "analysis_complete"
    CODE_REVIEW_COMPLETE = "code_review_complete"
    THINKDEEP_COMPLETE = "thinkdeep_complete"
    DOCUMENTATION_ANALYSIS_COMPLETE = "documentation_analysis_complete"
    VALIDATION_COMPLETE = "validation_complete"
    CONSENSUS_WORKFLOW_COMPLETE = "consensus_workflow_complete"
    LOCAL_WORK_COMPLETE = "local_work_complete"  # no model was asked


def pause_for(tool: str) -> Status:
    """Raises: ValueError for a tool that is no workflow."""
    return Status(f"pause_for_{tool}")


def is_workflow(tool: str) -> bool:
    """Whether the tool of that name is one; an editor's suffix does not matter."""
    name = tool.replace("-", "_").partition("_EXAI_")[0]
    return f"pause_for_{name}" in _VALUES


_VALUES = frozenset(status.value for status in Status)


def schema(statuses: Iterable[Status]) -> dict[str, Any]:
    """Of the field `status` of a tool that can answer with these."""
    return {"type": "string", "enum": [status.value for status in statuses]}
