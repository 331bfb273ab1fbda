"""A panel of models, asked the same at the same time, each blind to the others; whoever is late or fails is named."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, ExaiError, ToolFailedError
from exai_trio.providers.base import ChatRequest
from exai_trio.tools import prompts
from exai_trio.tools.asking import ask_model, model_choice
from exai_trio.tools.envelope import whole_characters
from exai_trio.tools.prompts.experts import STANCES
from exai_trio.tools.workflow import expert
from exai_trio.tools.workflow.definition import StepCall, Workflow
from exai_trio.tools.workflow.expert import Case
from exai_trio.tools.workflow.panel import opinions
from exai_trio.tools.workflow.response import Outcome

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.observability.events import RequestEnded
    from exai_trio.providers.gateway import ChatAnswer, ModelChoice

MOST_MODELS = 10
TEMPERATURE = 0.2
# Seconds before the call's own deadline at which a partial answer is given rather than none.
_MARGIN_S = 1.0


@structs.frozen(kw_only=True)
class Seat:
    """One place on the panel: who, and on which side."""

    model: str
    stance: str = "neutral"
    stance_prompt: str = ""

    @property
    def label(self) -> str:
        return self.model if self.stance == "neutral" else f"{self.model} ({self.stance})"


@structs.define
class Opinion:
    """What became of one seat."""

    seat: Seat
    status: Literal["answered", "failed", "late"] = "late"
    text: str = ""
    reason: str = "no answer by the deadline"
    answer: "ChatAnswer | None" = None

    def as_json(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "model": self.seat.model,
            "stance": self.seat.stance,
            "status": self.status,
        }
        if self.answer is None:
            return facts | {"reason": self.reason}
        said = {"verdict": self.text, "metadata": model_choice.facts(self.answer, self.seat.model)}
        return facts | said | {"usage": model_choice.usage(self.answer)}


def seats(given: Sequence[object]) -> tuple[Seat, ...]:
    """Raises: ArgumentError naming what is wrong with which entry."""
    found = tuple(_seat(each) for each in given)
    labels = [seat.label for seat in found]
    for label in labels:
        if labels.count(label) > 1:
            raise _refusal(f"{label} is asked twice; give it another stance or leave it out", label)
    if len(found) > MOST_MODELS:
        raise _refusal(f"{len(found)} models are named; at most {MOST_MODELS} are asked", "")
    return found


def _seat(given: object) -> Seat:
    if isinstance(given, str):
        given = {"model": given}
    if not isinstance(given, dict):
        raise _refusal("each entry is an object with a model", str(given)[:80])
    entry = cast("dict[str, object]", given)
    values = {
        name: str(entry.get(name) or "").strip() for name in ("model", "stance", "stance_prompt")
    }
    if not values["model"]:
        raise _refusal("an entry has no model", str(entry)[:80])
    values["stance"] = values["stance"] or "neutral"
    if values["stance"] not in STANCES:
        raise _refusal(f"stance is one of {', '.join(STANCES)}", values["stance"][:80])
    return Seat(**values)


def _refusal(what: str, value: str) -> ArgumentError:
    return ArgumentError(
        f"models: {what}.",
        details={
            "field": "models",
            "value": value,
            "allowed": "a list of {model, stance, stance_prompt}",
        },
    )


async def ask(case: Case) -> Outcome:
    """Ask all at once, up to the deadline. Raises: ToolFailedError if nobody has answered.
    Cancelling ends all requests; no opinion is kept."""
    panel = [Opinion(seat) for seat in seats(case.state.own("models", ()))]
    if not panel:
        raise _refusal("name the models to ask", "")
    text = prompts.question_only(case.state)
    question, material = await expert.gather(case, text, sees=True)
    deadline = _deadline(case.call.services.config.expert_analysis_timeout_secs)
    briefing = _Briefing(case=case, question=question, material=material, deadline=deadline)
    async with trio.open_nursery() as asked:
        for number, opinion in enumerate(panel):
            asked.start_soon(_ask_in_time, briefing, opinion, number, panel)
    return attrs.evolve(
        _outcome(case.workflow, panel),
        unread=expert.unread(case.state, material),
        remarks=expert.remarks(case.state, material),
    )


def _deadline(seconds: float) -> float:
    """Ours, or a little before the call's own if that is earlier."""
    return min(trio.current_time() + seconds, trio.current_effective_deadline() - _MARGIN_S)


@structs.frozen(kw_only=True)
class _Briefing:
    """What all of the panel are given. By `deadline` a model has begun to answer, or is late."""

    case: Case
    question: prompts.Question
    material: prompts.Material
    deadline: float


async def _ask_in_time(
    briefing: _Briefing, opinion: Opinion, number: int, panel: Sequence[Opinion]
) -> None:
    with trio.CancelScope(deadline=briefing.deadline) as limit:
        listener = ask_model.TimeLimit(_Quiet(briefing.case.call), limit)
        await _ask_one(briefing, opinion, number, listener)
        settled = sum(each.status != "late" for each in panel)
        done = f"{settled} of {len(panel)} models have answered or failed"
        briefing.case.call.caller.stage("streaming", done)


async def _ask_one(
    briefing: _Briefing, opinion: Opinion, number: int, listener: ask_model.TimeLimit
) -> None:
    services, question = briefing.case.call.services, briefing.question
    need = expert.need(briefing.case, question.text, len(question.images), briefing.material)
    try:
        choice = model_choice.choose(services, opinion.seat.model, "", need)
        request = await _request(briefing, opinion.seat, choice, number)
        answer = await ask_model.ask(services, choice, request, listener)
        expert.check(answer)
    except ExaiError as fault:
        opinion.status, opinion.reason = "failed", f"{fault.code}: {fault.message}"
    else:
        opinion.status, opinion.answer = "answered", answer
        opinion.text = whole_characters(answer.text)


async def _request(
    briefing: _Briefing, seat: Seat, choice: "ModelChoice", number: int
) -> ChatRequest:
    case, text = briefing.case, briefing.question.text
    question = attrs.evolve(
        briefing.question, text=prompts.for_panel(text, seat.stance, seat.stance_prompt)
    )
    return ChatRequest(
        model=choice.model.name,
        messages=await ask_model.assembled(
            case.call.services, choice, question, _seen(briefing, choice), turns=case.thread.turns
        ),
        temperature=TEMPERATURE,
        idempotency_key=f"{briefing.case.call.caller.idempotency_key}:{number}",
        cache_key=f"{briefing.case.thread.id}:{number}",
    )


def _seen(briefing: _Briefing, choice: "ModelChoice") -> prompts.Material:
    """What this model can take in."""
    room = ask_model.room(briefing.case.call.services, choice)
    fit = expert.fitted(briefing.case, briefing.material, room)
    return fit if choice.model.sees else attrs.evolve(fit, images={})


@structs.frozen
class _Quiet:
    """The caller without the pieces of several answers mixed together."""

    call: StepCall

    def stage(self, stage: str, message: str) -> None:
        self.call.caller.stage(stage, message)

    def chunk(self, text: str) -> None:
        del text

    def waited_for_provider(self, provider: str, seconds: float) -> None:
        self.call.caller.waited_for_provider(provider, seconds)

    def requested(self, request: "RequestEnded") -> None:
        self.call.caller.requested(request)

    def flows(self, until: float) -> float:
        return self.call.caller.flows(until)


def _outcome(workflow: Workflow, panel: Sequence[Opinion]) -> Outcome:
    given = {opinion.seat.label: opinion.text for opinion in panel if opinion.answer is not None}
    missing = {o.seat.label: o.reason for o in panel if o.answer is None}
    if not given:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise ToolFailedError(
            f"None of the models has answered. {reasons}.", details={"models": missing}
        )
    cut = {o.seat.label: o.answer.cut for o in panel if o.answer is not None and o.answer.cut}
    notice = "; ".join(filter(None, (_named("not heard", missing), _named("cut off", cut))))
    metadata: dict[str, Any] = {"models_asked": len(panel), "models_answered": len(given)}
    if notice:
        metadata |= {"partial": True, "notice": notice}
    return Outcome(
        status=workflow.done,
        reply="\n\n".join(f"## {name}\n\n{text}" for name, text in given.items()),
        analysis={
            "status": "partial" if notice else "analysis_complete",
            "responses": [opinion.as_json() for opinion in panel],
            "comparison": opinions.compared(given),
        },
        metadata=metadata,
        usage=_usage([model_choice.usage(o.answer) for o in panel if o.answer is not None]),
    )


def _named(what: str, reasons: Mapping[str, str]) -> str:
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return f"{what}: {told}" if told else ""


def _usage(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All answers together; no cost unless each has one, in one currency."""
    costs = [part["cost_usd"] for part in parts]
    counts = {
        name: sum(part[name] for part in parts)
        for name in ("input_tokens", "output_tokens", "cached_tokens")
    }
    cost = None if None in costs else sum(costs)
    return counts | {"cost_usd": cost, "currency": parts[0]["currency"]}
