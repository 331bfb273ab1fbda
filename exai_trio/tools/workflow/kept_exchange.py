"""What a conversation keeps of a finished investigation: what was asked, and the answer with who gave it and how long that took."""

from exai_trio.storage.base import Turn
from exai_trio.tools import prompts
from exai_trio.tools.asking import conversations
from exai_trio.tools.workflow.definition import StepCall
from exai_trio.tools.workflow.response import Outcome, Step
from exai_trio.workspace.images import is_data_url


def exchange(call: StepCall, step: Step, outcome: Outcome) -> tuple[Turn, Turn]:
    """Question and answer."""
    workflow, state, now = step.workflow, step.state, call.services.now()
    asked = Turn(
        role="user",
        # As it was sent, so that the next prompt begins like this one.
        text=outcome.asked or prompts.investigation(workflow.name, state),
        tool=workflow.name,
        at=now,
        extra=conversations.extra(
            files=state.relevant_files,
            images=[image for image in state.images if not is_data_url(image)],
        ),
    )
    answered = Turn(
        role="assistant",
        text=outcome.reply,
        tool=workflow.name,
        model=outcome.model,
        provider=outcome.provider,
        at=now,
        extra=conversations.extra(
            reasoning=outcome.reasoning,
            usage=outcome.usage,
            latency_metrics=call.caller.latency_metrics() if outcome.model else None,
        ),
    )
    return asked, answered
