"""A whole answer out of deltas, and what it cost. Pure."""

from collections.abc import Mapping
from typing import Any

import attrs

from exai_trio import structs

from ..base import (
    Delta,
    Finish,
    ReasoningDelta,
    TextDelta,
    TextWasReasoning,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageDelta,
)
from ..catalogue import ModelInfo


@structs.define
class _Call:
    id: str = ""
    name: str = ""
    type: str = ""
    arguments: list[str] = attrs.field(factory=list[str])


@structs.define
class Assembly:
    """Add the deltas of one answer in order."""

    text: list[str] = attrs.field(factory=list[str], init=False)
    reasoning: list[str] = attrs.field(factory=list[str], init=False)
    usage: Usage = attrs.field(factory=Usage, init=False)
    is_counted: bool = attrs.field(default=False, init=False)  # its usage was told
    finish: Finish | None = attrs.field(default=None, init=False)
    cut: str = attrs.field(default="", init=False)  # why it is not whole
    text_size: int = attrs.field(default=0, init=False)  # letters
    reasoning_size: int = attrs.field(default=0, init=False)
    _calls: dict[int, _Call] = attrs.field(factory=dict[int, _Call], init=False)

    def add(self, delta: Delta) -> None:
        match delta:
            case TextDelta(text):
                self.text.append(text)
                self.text_size += len(text)
            case ReasoningDelta(text):
                self.reasoning.append(text)
                self.reasoning_size += len(text)
            case TextWasReasoning():
                self._retract_text()
            case ToolCallDelta():
                self._add_call(delta)
            case UsageDelta(usage):
                # the last one counts; services that send several send running totals
                self.usage, self.is_counted = usage, True
            case Finish():
                self.finish = delta

    def _retract_text(self) -> None:
        self.reasoning.extend(self.text)
        self.reasoning_size += self.text_size
        self.text.clear()
        self.text_size = 0

    def _add_call(self, piece: ToolCallDelta) -> None:
        call = self._calls.setdefault(piece.index, _Call())
        call.id = call.id or piece.id
        call.name = call.name or piece.name
        call.type = call.type or piece.type
        call.arguments.append(piece.arguments)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(
            ToolCall(
                id=call.id,
                name=call.name,
                arguments="".join(call.arguments),
                type=call.type or "function",
            )
            for _, call in sorted(self._calls.items())
        )


@structs.frozen(kw_only=True)
class ChatAnswer:
    """What a model answered. `cost` is in `currency`, None where no price is known; `notice` is for the user to read.

    `cut` says why it is not whole: then its tokens were not counted either.
    """

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: Usage
    cost: float | None
    currency: str
    model_requested: str
    model_used: str
    provider: str
    notice: str | None = None
    web_results: tuple[Mapping[str, Any], ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], eq=False, repr=False)
    simulated: bool = False
    rounds: int = 1  # requests that it took; `usage` is of all of them
    cut: str = ""


def total(usages: list[Usage]) -> Usage:
    """Several requests of one call, added up."""
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )


def cost(model: ModelInfo, usage: Usage) -> float | None:
    if model.price is None:
        return None
    return model.price.of(usage.input_tokens, usage.output_tokens, usage.cached_tokens)


def notices(*candidates: str | None) -> str | None:
    """The notices there are, as one text."""
    return "; ".join(notice for notice in candidates if notice) or None


def other_model_notice(asked: str, answered: str) -> str | None:
    """Vendors may append a date to the name asked for; anything else is another model, and the user is told."""
    if answered.lower().startswith(asked.lower()):
        return None
    return f"{asked} was asked and {answered} says that it answered"
