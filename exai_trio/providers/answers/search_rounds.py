"""The questions and answers of one chat, which are several where the provider lets us trigger its own web search. Pure."""

from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from exai_trio.errors import ArgumentError
from exai_trio.observability.redaction import KnownSecrets

from ..base import ChatRequest, Message
from ..catalogue import ModelInfo, last_part
from ..endpoint import Endpoint
from ..routing import ModelChoice
from .accumulator import Assembly, ChatAnswer, cost, notices, other_model_notice, total
from .finish_reasons import notice_of

_MOST_NAMES: Final = 4


def refuse_unseen_images(
    model: ModelInfo, messages: tuple[Message, ...], others: tuple[ModelInfo, ...]
) -> None:
    """`others` are the models that could be asked instead. Raises: ArgumentError naming those that see."""
    if not model.sees and any(message.images for message in messages):
        seeing = [other.name for other in others if other.sees][:_MOST_NAMES]
        remedy = f"; {', '.join(seeing)} can" if seeing else ""
        raise ArgumentError(
            f"{model.name} does not see images{remedy}",
            details={"field": "images", "model": model.name},
        )


def key_of_round(request: ChatRequest, number: int) -> str:
    """Each round is another request to the provider, and all attempts of one round are the same."""
    return (
        f"{request.idempotency_key}.{number}"
        if number and request.idempotency_key
        else request.idempotency_key
    )


def asks_for_own_search(part: Assembly, endpoint: Endpoint) -> bool:
    own = endpoint.dialect.own_search
    return (
        not part.cut and bool(part.tool_calls) and all(call.name == own for call in part.tool_calls)
    )


def continued(request: ChatRequest, part: Assembly) -> ChatRequest:
    """The same with what the model said, whole, and its search arguments given back unchanged: that makes it search."""
    said = Message(
        role="assistant",
        text="".join(part.text),
        reasoning="".join(part.reasoning),
        tool_calls=part.tool_calls,
    )
    leave = tuple(
        Message(role="tool", text=call.arguments, tool_call_id=call.id) for call in part.tool_calls
    )
    return attrs.evolve(request, messages=(*request.messages, said, *leave))


def without_keys(answer: ChatAnswer, keys: KnownSecrets) -> ChatAnswer:
    """The same, if a service echoes what it was sent."""
    calls = tuple(
        attrs.evolve(call, arguments=keys.masked(call.arguments), name=keys.masked(call.name))
        for call in answer.tool_calls
    )
    results = cast("list[Mapping[str, Any]]", keys.masked_within(answer.web_results))
    return attrs.evolve(
        answer,
        text=keys.masked(answer.text),
        reasoning=keys.masked(answer.reasoning),
        tool_calls=calls,
        finish_reason=keys.masked(answer.finish_reason),
        model_used=keys.masked(answer.model_used),
        notice=keys.masked(answer.notice) if answer.notice else None,
        web_results=tuple(results),
        headers={name: keys.masked(value) for name, value in answer.headers.items()},
    )


def whole_answer(choice: ModelChoice, endpoint: Endpoint, parts: list[Assembly]) -> ChatAnswer:
    last = parts[-1]
    finish = last.finish
    used = last_part(finish.model) if finish else choice.model.name
    reason = finish.reason if finish else ""
    usage = total([part.usage for part in parts])
    price = choice.model.price
    return ChatAnswer(
        text="".join(text for part in parts for text in part.text),
        reasoning="".join(text for part in parts for text in part.reasoning),
        tool_calls=() if last.cut else last.tool_calls,
        finish_reason=reason,
        usage=usage,
        cost=None if last.cut else cost(choice.model, usage),
        currency=price.currency if price else endpoint.dialect.currency,
        model_requested=choice.requested,
        model_used=used,
        provider=choice.provider,
        notice=notices(
            choice.notice,
            other_model_notice(choice.model.name, used),
            notice_of(reason),
            *(finish.notices if finish else ()),
            f"{last.cut}; this is what came until then" if last.cut else None,
        ),
        web_results=finish.web_results if finish else (),
        headers=finish.headers if finish else {},
        simulated=endpoint.simulated,
        rounds=len(parts),
        cut=last.cut,
    )
