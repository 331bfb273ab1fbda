"""consensus: several models judge one proposal at the same time, none knowing of the others."""

from typing import Annotated, Any

from msgspec import Meta

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow.definition import Findings, StepCall, Workflow
from exai_trio.tools.workflow.engine import check_model, tool
from exai_trio.tools.workflow.panel import ask_panel
from exai_trio.tools.workflow.step_arguments import Count, Described, Names, Stepwise

_MODEL = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "stance": {"type": "string", "enum": ["for", "against", "neutral"]},
        "stance_prompt": {"type": "string"},
    },
}


@structs.frozen(kw_only=True)
class Arguments(Stepwise):
    """What consensus takes."""

    findings: str = ""
    models: tuple[Annotated[Any, Meta(extra_json_schema=_MODEL)], ...] = ()
    current_model_index: Count = 0
    model_responses: tuple[Described, ...] = ()
    relevant_files: Names = ()
    images: Names = ()


async def look(call: StepCall) -> Findings:
    """Refuse a panel that cannot be asked before the step is noted. Raises: ArgumentError, NotFoundError."""
    named = call.arguments.models or call.state.own("models", ())
    if not named:
        raise ArgumentError(
            "models is required: a list of {model, stance, stance_prompt}, for example two or three names from listmodels.",
            details={"field": "models", "allowed": "a list of {model, stance, stance_prompt}"},
        )
    seats = ask_panel.seats(named)
    for seat in seats:
        check_model(seat.model, call.services)
    return Findings(answer={"models_to_ask": [seat.label for seat in seats]})


TOOL = tool(
    Workflow(
        name="consensus",
        description="Several models judge a proposal, blind to each other; you investigate between steps.",
        arguments=Arguments,
        done=Status.CONSENSUS_WORKFLOW_COMPLETE,
        asks="panel",
        visibility="advanced",
        actions=(
            "Put the proposal so that it can be judged without you, and form your own view in findings; the models do not see it.",
            "Then send the last step with next_step_required false: all models are asked together.",
        ),
        look=look,
    )
)
