"""Where the time of a call went, and what its answers cost. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from exai_trio import structs

if TYPE_CHECKING:  # the answer is only read
    from exai_trio.providers.gateway import ChatAnswer

SEVERAL = "several"


@structs.frozen(kw_only=True)
class Spent:
    """What answers of models took. `cost` is in `currency`, None where a price is not known or several are mixed."""

    model: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: float | None
    currency: str


@structs.define
class Waits:
    """Seconds that a call spent waiting for permits, and the provider whose permit it was. `first_chunk` is when text came first,
    after the beginning; `exchanges` are the times, on trio's clock, in which a request was with a provider."""

    permit: float = 0.0
    provider: float = 0.0
    provider_name: str = ""
    first_chunk: float | None = None
    exchanges: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])
    answers: list[Spent] = attrs.field(factory=list[Spent])

    @property
    def with_provider(self) -> float:
        """Seconds in which at least one request was with a provider."""
        return covered(self.exchanges)

    @property
    def spent(self) -> Spent | None:
        """Of all answers together; None if no model has answered."""
        return added(self.answers) if self.answers else None


def spent_of(answer: "ChatAnswer") -> Spent:
    return Spent(
        model=answer.model_used,
        input_tokens=answer.usage.input_tokens,
        cached_tokens=answer.usage.cached_tokens,
        output_tokens=answer.usage.output_tokens,
        reasoning_tokens=answer.usage.reasoning_tokens,
        cost=answer.cost,
        currency=answer.currency,
    )


def added(all_spent: list[Spent]) -> Spent:
    """The sum of at least one."""
    costs = [spent.cost for spent in all_spent if spent.cost is not None]
    models, currencies = {one.model for one in all_spent}, {one.currency for one in all_spent}
    known = len(costs) == len(all_spent) and len(currencies) == 1
    return Spent(
        model=models.pop() if len(models) == 1 else SEVERAL,
        input_tokens=sum(one.input_tokens for one in all_spent),
        cached_tokens=sum(one.cached_tokens for one in all_spent),
        output_tokens=sum(one.output_tokens for one in all_spent),
        reasoning_tokens=sum(one.reasoning_tokens for one in all_spent),
        cost=sum(costs) if known else None,
        currency=currencies.pop() if len(currencies) == 1 else "",
    )


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of them lasted."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
