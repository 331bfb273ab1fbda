"""planner: a plan in steps, with revisions and branches; merged into one text at the end.

Asks no model.
"""

from exai_trio import structs
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow import plan
from exai_trio.tools.workflow.definition import Hold, Workflow
from exai_trio.tools.workflow.engine import tool
from exai_trio.tools.workflow.step_arguments import Positive, Stepwise
from exai_trio.tools.workflow.steps.investigation_state import Note


@structs.frozen(kw_only=True)
class Arguments(Stepwise):
    """What planner takes."""

    is_step_revision: bool = False
    revises_step_number: Positive | None = None
    is_branch_point: bool = False
    branch_from_step: Positive | None = None
    branch_id: str = ""
    more_steps_needed: bool = False
    use_assistant_model: bool = False
    model: str = ""


def hold(note: Note) -> Hold | None:
    """A last step that says more are needed is not the last."""
    if note.more or not note.own.get("more_steps_needed"):
        return None
    return Hold(
        status=Status.PAUSE_FOR_PLANNER, why="more_steps_needed is set: send the next step."
    )


TOOL = tool(
    Workflow(
        name="planner",
        description="Plan step by step, with revisions and branches: you investigate between steps. Asks no model.",
        arguments=Arguments,
        done=Status.PLANNING_COMPLETE,
        asks="nobody",
        visibility="essential",
        actions=(
            "Say what the next step changes, what it needs from earlier ones, and how you will know that it is done.",
            "To change an earlier step: is_step_revision with revises_step_number. For an alternative: branch_from_step and branch_id.",
        ),
        hold=hold,
        progress=plan.progress,
        outcome=plan.merged,
        tolerated=frozenset({"findings"}),
        seldom=frozenset({"use_assistant_model", "model"}),
    )
)
