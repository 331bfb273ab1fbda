"""What is noted of one attempt at a provider while it runs, and what is said of it when it has ended. Pure: `now` is handed in."""

from exai_trio import structs
from exai_trio.errors import ProviderError
from exai_trio.observability.events import RequestEnded

from ..answers.accumulator import cost
from ..base import Usage
from ..catalogue import ModelInfo
from .request_outcomes import FAULT, outcome_of


@structs.define(eq=False)
class RequestRecord:
    """`model` is who is asked, if anybody; times are those of the clock that it is given; `outcome` is what became of it."""

    provider: str
    model: ModelInfo | None
    currency: str
    waited_s: float
    asked_at: float
    outcome: str = FAULT
    is_cut: bool = False
    usage: Usage | None = None
    connected_at: float | None = None
    first_chunk_at: float | None = None
    first_text_at: float | None = None

    def failed(self, fault: ProviderError) -> None:
        self.outcome = outcome_of(fault)

    def came(self, now: float, *, is_text: bool) -> None:
        """A piece of thinking or text."""
        if self.first_chunk_at is None:
            self.first_chunk_at = now
        if is_text and self.first_text_at is None:
            self.first_text_at = now

    def ended(self, now: float) -> RequestEnded:
        usage, model = self.usage, self.model
        price = model.price if model else None
        return RequestEnded(
            provider=self.provider,
            model=model.name if model else "",
            outcome=self.outcome,
            permit_wait_s=self.waited_s,
            duration_s=now - self.asked_at,
            connected_s=self._after(self.connected_at),
            first_chunk_s=self._after(self.first_chunk_at),
            first_text_s=self._after(self.first_text_at),
            input_tokens=usage.input_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            cost=cost(model, usage) if model and usage else None,
            currency=price.currency if price else self.currency,
        )

    def _after(self, at: float | None) -> float | None:
        return None if at is None else at - self.asked_at
