"""What a workflow tool answers: one shape for all of them, as JSON text and as structured content. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import attrs
import msgspec

from exai_trio import structs
from exai_trio.tools import statuses
from exai_trio.tools.base import Answer
from exai_trio.tools.envelope import whole_characters
from exai_trio.tools.statuses import Status
from exai_trio.tools.workflow.definition import Hold, Workflow
from exai_trio.tools.workflow.step_arguments import Confidence
from exai_trio.tools.workflow.steps.investigation_state import Note, State

Facts = Mapping[str, Any]


@structs.frozen(kw_only=True)
class Outcome:
    """How an investigation ended. `asked` and `reply` are its texts for the conversation.

    `analysis` is expert_analysis, None if nobody was asked; `unread` are relevant files that could not be shown, with the reasons;
    `remarks` is what was said of those that were, by their paths.
    """

    status: Status
    reply: str
    asked: str = ""
    unread: Facts = attrs.field(factory=dict[str, Any])
    remarks: Facts = attrs.field(factory=dict[str, Any])
    analysis: Facts | None = None
    metadata: Facts = attrs.field(factory=dict[str, Any])
    usage: Facts | None = None
    model: str = ""
    provider: str = ""
    reasoning: str = ""


@structs.frozen(kw_only=True)
class Step:
    """Everything that an answer is made of, whether the work goes on or has ended."""

    workflow: Workflow
    continuation_id: str
    state: State
    note: Note
    arguments: Any
    found: Facts = attrs.field(factory=dict[str, Any])
    remarks: Sequence[str] = ()


def output_schema(workflow: Workflow) -> dict[str, Any]:
    """The statuses that this tool can answer with; the rest is described by the answer itself."""
    return {"type": "object", "properties": {"status": statuses.schema(workflow.statuses)}}


def paused(step: Step) -> Answer:
    """The answer between two steps."""
    return _answer(step, step.workflow.pause, more=True, further=_advice(step))


def held(step: Step, hold: Hold) -> Answer:
    """The answer to a step that needs something before the work can go on or end."""
    further = {
        "next_steps": _sentences(hold.why, *step.remarks),
        "required_actions": list(hold.actions or step.workflow.actions),
        "next_call": _next_call(
            step, dict(hold.arguments), again=not hold.status.startswith("pause")
        ),
    }
    return _answer(step, hold.status, more=True, further=further)


def ended(step: Step, outcome: Outcome) -> Answer:
    """The answer to the last step."""
    further: dict[str, Any] = {
        "next_steps": _sentences(_closing(step, outcome), *step.remarks),
        "next_call": {
            "tool": "chat",
            "arguments": {
                "prompt": "Your next question about this",
                "continuation_id": step.continuation_id,
            },
        },
        f"complete_{step.workflow.name}": _complete(step),
    }
    if outcome.analysis is not None:
        further["expert_analysis"] = outcome.analysis
    return _answer(step, outcome.status, more=False, further=further, outcome=outcome)


def _answer(
    step: Step, status: Status, *, more: bool, further: Facts, outcome: Outcome | None = None
) -> Answer:
    metadata: dict[str, Any] = {"tool_name": step.workflow.name, "conversation_ready": True}
    if step.state.is_stagnant and more:
        metadata["stagnation"] = {"confidence": step.state.confidence, "may_stop": True}
    if outcome is not None:
        metadata |= outcome.metadata
    envelope: dict[str, Any] = {
        "status": status,
        "step_number": step.note.number,
        "total_steps": step.note.total,
        "next_step_required": more,
        f"{step.workflow.name}_status": _status(step),
        "continuation_id": step.continuation_id,
        **_files(step, outcome),
        **further,
        "metadata": metadata,
    }
    usage = outcome.usage if outcome is not None else None
    if usage is not None:
        envelope["usage"] = usage
    text, envelope = _encoded(envelope)
    return Answer(text=text, structured=envelope, metadata=metadata, usage=usage)


def _status(step: Step) -> dict[str, Any]:
    state = step.state
    return {
        "files_checked": len(state.files_checked),
        "relevant_files": len(state.relevant_files),
        "relevant_context": len(state.relevant_context),
        "issues_found": len(state.issues),
        "images_collected": len(state.images),
        "current_confidence": state.confidence,
        "steps_noted": len(state.notes),
        "steps_replaced": len(state.history),
        **step.workflow.progress(state),
        **step.found,
    }


def _files(step: Step, outcome: Outcome | None) -> dict[str, Any]:
    files = step.state.relevant_files
    if not files:
        return {}
    if outcome is None or outcome.analysis is None:
        return {"file_context": {"type": "reference_only", "files": files}}
    embedded = [path for path in files if path not in outcome.unread]
    context: dict[str, Any] = {"type": "fully_embedded", "files": embedded}
    if outcome.unread:
        context["not_embedded"] = outcome.unread
    if outcome.remarks:
        context["remarks"] = outcome.remarks
    return {"file_context": context}


def _advice(step: Step) -> dict[str, Any]:
    next_number = step.note.number + 1
    say = [f"Do the required actions, then call {step.workflow.name} again as step {next_number}."]
    if step.state.is_stagnant:
        say.append(
            f"Three steps have ended with confidence {step.state.confidence}: the work does not get on. Look elsewhere, ask the"
            " user, or stop by sending next_step_required false."
        )
    return {
        "next_steps": _sentences(*say, *step.remarks),
        "required_actions": _actions(step.workflow),
        "next_call": _next_call(step, {}, again=False),
    }


def _actions(workflow: Workflow) -> list[str]:
    return [*workflow.actions, *([_SURE] if workflow.asks == "expert" else [])]


# What certain means is said here rather than in every tool list.
_SURE = f"Say how sure you are in confidence: {', '.join(get_args(Confidence))}. With certain, or use_assistant_model false, no model is asked."


def _next_call(step: Step, more: dict[str, Any], *, again: bool) -> dict[str, Any]:
    """The arguments of the next step; for the same step again, those that were sent."""
    note = step.note
    number = note.number if again else note.number + 1
    total = max(note.total, number)
    arguments: dict[str, Any] = {
        "step": note.text if again else f"What you did in step {number}",
        "step_number": number,
        "total_steps": total,
        "next_step_required": note.more if again else number < total,
        **_required(step),
        "continuation_id": step.continuation_id,
    }
    return {"tool": step.workflow.name, "arguments": arguments | more}


def _required(step: Step) -> dict[str, Any]:
    """What every call of this tool must send besides: as it was sent, but for the findings."""
    found: dict[str, Any] = {}
    for field in attrs.fields(step.workflow.arguments):
        if field.default is attrs.NOTHING and field.name not in _STEP:
            found[field.name] = getattr(step.arguments, field.name)
    if "findings" in found:
        found["findings"] = "What you found, with places"
    return found


_STEP = frozenset({"step", "step_number", "total_steps", "next_step_required"})


def _closing(step: Step, outcome: Outcome) -> str:
    if outcome.analysis is not None:
        return "Check the analysis against the code before you act on it, and tell the user both."
    if outcome.status is Status.LOCAL_WORK_COMPLETE:
        return "No model was asked. Tell the user what you found and on what it rests."
    return f"{step.workflow.name} is complete; tell the user the result."


def _complete(step: Step) -> dict[str, Any]:
    state = step.state
    whole = {
        "steps_taken": len(state.notes),
        "files_checked": state.files_checked,
        "relevant_files": state.relevant_files,
        "relevant_context": state.relevant_context,
        "issues_found": state.issues,
        "hypothesis": state.hypothesis,
        "final_confidence": state.confidence,
        "work_summary": "\n\n".join(note.findings for note in state.notes if note.findings),
    }
    return {name: value for name, value in whole.items() if value} | dict(
        step.workflow.outcome(state)
    )


def _sentences(*sentences: str) -> str:
    return " ".join(sentences)


def _encoded(envelope: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    try:
        return msgspec.json.encode(envelope).decode(), envelope
    except UnicodeEncodeError:  # half characters, which a model may write
        whole = _whole(envelope)
        return msgspec.json.encode(whole).decode(), whole


def _whole(value: object) -> Any:
    match value:
        case str():
            return whole_characters(value)
        case dict():
            entries = cast("dict[str, object]", value)
            return {_whole(key): _whole(inner) for key, inner in entries.items()}
        case list() | tuple():
            return [_whole(inner) for inner in cast("list[object]", value)]
        case _:
            return value
